"""`ftctl deploy`, `ps`, `logs`, `chat` and `stop` with a real vLLM server."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from ftctl.deployments import client
from ftctl.process import session_members
from tests.conftest import ROOT, Cli
from tests.e2e.conftest import START_TIMEOUT, Served
from tests.waiting import until

pytestmark = pytest.mark.engine


def test_a_ready_server_answers_by_its_name(served: Served) -> None:
    assert served.data["name"] == served.data["model"] == "tiny"
    assert served.url.startswith("http://127.0.0.1:")
    assert client.models(served.url, served.key) == ("tiny",)
    body = {"model": "tiny", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 3}
    code, answer = client.request(served.url, "/v1/chat/completions", key=served.key, body=body)
    assert code == 200
    assert json.loads(answer)["usage"]["completion_tokens"] >= 1


def test_ps_and_logs_tell_of_it(served: Served) -> None:
    shown = served.cli("ps", "--json", code=0).data["deployments"]
    assert [(row["name"], row["state"], row["address"]) for row in shown] == [("tiny", "running", served.url)]
    assert "running" in served.cli("ps", code=0).out
    assert "Application startup complete" in served.cli("logs", "tiny", "-n", "10000", code=0).out
    assert len(served.cli("logs", "tiny", "-n", "2", code=0).out.splitlines()) == 2


def test_logs_follow_a_server(served: Served, tmp_path: Path) -> None:
    argv, shown = served.cli.argv("logs", "tiny", "-f", "-n", "0"), tmp_path / "shown"
    with open(shown, "w") as out:
        follower = subprocess.Popen(argv, env=served.cli.environment, stdout=out)
    try:
        # Asked again and again: what is logged before the follower looks is not shown.
        until(lambda: client.models(served.url, served.key) and "GET /v1/models" in shown.read_text())
        follower.send_signal(signal.SIGINT)
        assert follower.wait(timeout=30) == 0
    finally:
        follower.kill()
        follower.wait()


def test_chat_once_streams_an_answer(served: Served) -> None:
    options = ("--once", "--max-tokens", "8", "--temperature", "0")
    first = served.cli("chat", "tiny", "hello", *options, code=0).out
    assert first == served.cli("chat", "tiny", "hello", *options, code=0).out
    streamed = client.chat(
        served.url, served.key, "tiny", [{"role": "user", "content": "hello"}], max_tokens=8, temperature=0
    )
    pieces = list(streamed)
    assert "".join(pieces) + "\n" == first


def test_chat_reads_standard_input(served: Served) -> None:
    asked = subprocess.run(
        served.cli.argv("chat", "tiny", "--max-tokens", "2"), env=served.cli.environment, input="hello\n",
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (asked.returncode, asked.stderr) == (0, "")
    assert asked.stdout.endswith("\n")


def test_snippets_run_against_vllm(served: Served, vllm_python: Path) -> None:
    environment = {**os.environ, "PATH": f"{vllm_python.parent}:{os.environ['PATH']}"}
    for form, program in (("curl", "sh"), ("python", "python"), ("openai", "python")):
        text = served.cli("deploy", "tiny", "--print", form, code=0).out
        assert served.key not in text
        asked = [program] if form != "openai" else [str(vllm_python), "-"]
        done = subprocess.run(
            asked, input=text, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert (done.returncode, done.stderr) == (0, ""), f"{form}: {done.stderr}"


def test_the_servers_own_counts_are_shown_and_drawn(served: Served) -> None:
    (before,) = served.cli("ps", "--json", code=0).data["deployments"]
    served.cli("chat", "tiny", "hello", "--once", "--max-tokens", "4", code=0)
    (after,) = served.cli("ps", "--json", code=0).data["deployments"]
    assert after["requests"] == before["requests"] + 1
    assert 1 <= after["load"]["generation_tokens"] - before["load"]["generation_tokens"] <= 4
    page = client.request(served.url, "/metrics", key=served.key)[1].decode()
    board = json.loads((ROOT / "configs" / "grafana" / "vllm.json").read_text())
    drawn = re.findall(r"vllm:[a-z_0-9]+", " ".join(t["expr"] for p in board["panels"] for t in p["targets"]))
    assert [name for name in drawn if f"\n{name}{{" not in page] == []


def test_a_name_in_use_is_refused(served: Served, tiny_model: Path, vllm_python: Path) -> None:
    before = served.cli("ps", "--all", "--json", code=0).data["deployments"]
    argv = ("deploy", tiny_model, "--name", "tiny", "--engine-python", vllm_python)
    assert "ftctl stop tiny" in served.cli(*argv, code=2).err
    after = served.cli("ps", "--all", "--json", code=0).data["deployments"]
    assert [row["pid"] for row in after] == [row["pid"] for row in before]


@pytest.mark.parametrize("how", ["--port", "--set"])
def test_a_taken_port_is_an_error_before_anything_starts(
    ftctl: Cli, tiny_model: Path, vllm_python: Path, how: str
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        option = ("--port", str(port)) if how == "--port" else ("--set", f"port={port}")
        answer = ftctl("deploy", tiny_model, "--engine-python", vllm_python, *option, code=4)
    assert f"port {port} on 127.0.0.1 is taken by" in answer.err
    assert f"(pid {os.getpid()})" in answer.err
    assert ftctl("ps", "--all", "--json", code=0).data["deployments"] == []


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("native.max_model_len=100000", "a context of 100000 tokens is asked for and the model has"),
        ("native.hf_overrides={architectures: [NoSuchModel]}", "NoSuchModel"),
    ],
)
def test_a_server_that_dies_on_start_is_reported_with_its_cause(
    ftctl: Cli, tiny_model: Path, vllm_python: Path, override: str, says: str
) -> None:
    argv = (
        "deploy",
        tiny_model,
        "--name",
        "bad",
        "--engine-python",
        vllm_python,
        "--set",
        override,
        "--json",
    )
    answer = ftctl(*argv, timeout=START_TIMEOUT, code=1)
    error = answer.envelope["error"]
    assert says in error["message"]
    assert "server.log" in error["remedy"]
    row = ftctl("ps", "--all", "--json", code=0).data["deployments"][0]
    assert row["state"] == "failed"
    assert session_members(row["pid"]) == ()
    assert not (Path(row["folder"]) / "key").exists()
    assert ftctl("logs", "bad", code=0).out


def test_ctrl_c_while_starting_leaves_nothing(ftctl: Cli, tiny_model: Path, vllm_python: Path) -> None:
    argv = ftctl.argv("deploy", tiny_model, "--name", "brief", "--engine-python", vllm_python)
    starting = subprocess.Popen(argv, env=ftctl.environment, stderr=subprocess.PIPE, text=True)
    assert starting.stderr is not None
    assert "importing" in starting.stderr.readline()
    row = ftctl("ps", "--json", code=0).data["deployments"][0]
    assert row["state"] == "starting"
    assert session_members(row["pid"]) != ()
    starting.send_signal(signal.SIGINT)
    _, said = starting.communicate(timeout=60)
    assert starting.returncode == 130, said
    assert session_members(row["pid"]) == ()
