"""Trained templates against a real vLLM: what matches, what must fail, and the check before training.

A whole job with a template that ftctl mends, and an adapter's, are in test_train.py: they are served there.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ftctl.artifacts.chat_template import TRAINED
from ftctl.deployments import client
from ftctl.deployments.model import Deployment, Parity, Unlike
from ftctl.deployments.parity import check_parity
from ftctl.deployments.ports import free_port
from ftctl.plan.model import ServePlan
from ftctl.process import ProcessId
from tests.conftest import ROOT, TRAIN_TIMEOUT, Cli, TrainedRun, demo_job
from tests.e2e.conftest import START_TIMEOUT, Served
from tests.waiting import until

pytestmark = pytest.mark.engine

PLAN = ServePlan("vllm", "tiny", "none", (), 1, "float32", 512)
TEMPLATES = ("qwen3_nothink", "llama3", "alpaca", "gemma")
CHATML = "qwen3_nothink"  # what the tiny model's own chat template is like


@pytest.fixture(scope="module")
def trained(tiny_model: Path, llamafactory_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one of each template's name, in it what LLaMA-Factory trains by it on the tiny model."""
    folder = tmp_path_factory.mktemp("templates")
    program = Path(__file__).with_name("encode_templates.py")
    argv: list[str | Path] = [
        llamafactory_python,
        program,
        ROOT / "ftctl" / "inside",
        tiny_model,
        folder,
        *TEMPLATES,
    ]
    env = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.fixture(scope="module")
def urls(served: Served, trained: Path, vllm_python: Path) -> Iterator[Mapping[str, str]]:
    """A server of the tiny model for each template: the shared one, which has ChatML, and for Llama 3 and
    Alpaca vLLM's own without an engine, which renders chats just the same."""
    argv: tuple[str | Path, ...] = (vllm_python, "-m", "vllm.entrypoints.cli.main", "launch", "render")
    env = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    found, ports = {CHATML: served.url}, list[int]()
    with ExitStack() as ended:
        for name in ("llama3", "alpaca"):
            known = json.loads((trained / name / TRAINED).read_text())
            (trained / f"{name}.jinja").write_text(known["chat_template"])
            ports.append(free_port("127.0.0.1", ports))
            place = ("--served-model-name", "tiny", "--host", "127.0.0.1", "--port", str(ports[-1]))
            with open(trained / f"{name}.log", "w") as log:
                words = [
                    *argv,
                    trained / name / "model",
                    *place,
                    "--chat-template",
                    trained / f"{name}.jinja",
                ]
                server = subprocess.Popen(words, env=env, stdout=log, stderr=log)
            ended.callback(server.wait)
            ended.callback(server.kill)
            found[name] = f"http://127.0.0.1:{ports[-1]}"
        until(lambda: all(map(client.healthy, found.values())), START_TIMEOUT)
        yield found


def check(url: str, key: str, folder: Path, then: str = "fail") -> Parity | None:
    """What the check of a deployment says of the server there."""
    one = Deployment("tiny", "vllm", "tiny", url, ProcessId(1, 1, "boot"), 0.0, "/d", str(folder))
    return check_parity(one, PLAN, key, folder / "log", then=then)


@pytest.mark.parametrize(("template", "count"), [(CHATML, 11), ("llama3", 11), ("alpaca", 9)])
def test_a_server_with_the_trained_template_makes_the_same_tokens(
    served: Served, urls: Mapping[str, str], trained: Path, template: str, count: int
) -> None:
    found = check(urls[template], served.key, trained / template)
    assert found is not None
    assert (found.measure, found.count, found.differs) == ("tokens", count, False)
    # Two conversations have tools, which a chat template without them cannot show.
    said = "with tools, which the data has none of, it sees other tokens" if count == 11 else ""
    assert (found.figure, found.note) == (round(9 / count, 4), said)


def test_a_server_is_counted_by_as_well(served: Served, trained: Path) -> None:
    one = Deployment("tiny", "lmdeploy", "tiny", served.url, ProcessId(1, 1, "boot"), 0.0, "/d", str(trained))
    (trained / TRAINED).write_text((trained / "qwen3_nothink" / TRAINED).read_text())
    found = check_parity(one, replace(PLAN, engine="lmdeploy"), served.key, trained / "log")
    assert found is not None
    assert (found.figure, found.count) == (1.0, 9)
    (trained / TRAINED).write_text((trained / "llama3" / TRAINED).read_text())
    with pytest.raises(Unlike, match="tokens of it and"):
        check_parity(one, replace(PLAN, engine="lmdeploy"), served.key, trained / "log")


@pytest.mark.parametrize(
    ("template", "server", "trained_words", "served_words"),
    [
        (CHATML, "llama3", "<|im_start|>user", "<|start_header"),
        (CHATML, "alpaca", "<|im_start|>user", "Below is"),
        ("llama3", CHATML, "<|start_header", "<|im_start|>"),
        ("llama3", "alpaca", "<|start_header", "Below is"),
        ("alpaca", CHATML, "Below is", "<|im_start|>"),
        ("alpaca", "llama3", "Below is", "<|start_header"),
        ("gemma", CHATML, "<start_of", "<|im_start|>"),
    ],
)
def test_a_server_with_another_template_must_fail(
    served: Served,
    urls: Mapping[str, str],
    trained: Path,
    template: str,
    server: str,
    trained_words: str,
    served_words: str,
) -> None:
    with pytest.raises(Unlike) as caught:
        check(urls[server], served.key, trained / template)
    assert f"from token 1 on, trained '{trained_words}" in caught.value.message
    assert f"but served '{served_words}" in caught.value.message
    assert caught.value.parity.figure == 0.0
    going_on = check(urls[server], served.key, trained / template, then="warn")
    assert going_on is not None
    assert going_on.differs


@pytest.mark.parametrize(
    ("template", "source"),
    [(CHATML, "saved"), ("llama3", "template"), ("alpaca", "saved"), ("gemma", "template")],
)
def test_where_the_artifacts_chat_template_comes_from(trained: Path, template: str, source: str) -> None:
    assert json.loads((trained / template / TRAINED).read_text())["source"] == source


def test_a_server_that_is_given_another_template_is_stopped(
    trained_run: TrainedRun, vllm_python: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.jinja"
    other.write_text(
        "{% for message in messages %}[{{ message['role'] }}] {{ message['content'] }}{% endfor %}"
    )
    argv = ("deploy", trained_run.directory, "--name", "other", "--engine-python", vllm_python, "--json")
    words = ("--set", f"native.chat_template={other}", "--set", "max_length=512")
    answer = trained_run.cli(*argv, *words, timeout=START_TIMEOUT, code=1)
    error = answer.envelope["error"]
    assert "9 of 9 conversations differ" in error["message"]
    assert "trained '<|im_start|>user" in error["message"]
    assert "take chat_template out of deploy.native" in error["remedy"]
    rows = trained_run.cli("ps", "--all", "--json", code=0).data["deployments"]
    assert [row["state"] for row in rows if row["name"] == "other"] == ["failed"]


def tools_job(model: Path, folder: Path, name: str) -> Path:
    """Rows with tools, trained in Qwen's form on a model whose chat template has none."""
    row: dict[str, Any] = {
        "conversations": [{"from": "human", "value": "Tide?"}, {"from": "gpt", "value": "Low."}],
        "tools": json.dumps([{"name": "tide", "description": "", "parameters": {"properties": {}}}]),
    }
    (folder / "rows.jsonl").write_text(4 * (json.dumps(row) + "\n"))
    return demo_job(
        model,
        folder / "job.yaml",
        name=name,
        model={"path": str(model), "template": "qwen3_nothink"},
        data={"train": "rows.jsonl"},
        deploy={"max_length": 512},
    )


def test_what_no_server_could_see_is_found_before_training(
    session_ftctl: Cli, tiny_model: Path, tmp_path: Path, vllm_python: Path
) -> None:
    job = tools_job(tiny_model, tmp_path, "tools")
    planned = session_ftctl("plan", job, "--check-template", timeout=120, code=1)
    assert "no chat template shows a server what qwen3_nothink trains" in planned.err
    answer = session_ftctl("train", job, "--json", timeout=TRAIN_TIMEOUT, code=1)
    error = answer.envelope["error"]
    assert "a server could not see what would be trained" in error["message"]
    assert "(tools) the tokenizer's own has" in error["message"]
    assert "model.template" in error["remedy"]
    events = [json.loads(line) for line in answer.out.splitlines()[:-1]]
    (found,) = [event for event in events if event["event"] == "template"]
    assert (found["state"], found["template"]) == ("unlike", "qwen3_nothink")
    assert not any(event["event"] == "begin" for event in events)
