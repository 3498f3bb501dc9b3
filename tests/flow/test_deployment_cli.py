"""`ftctl deploy`, `ps`, `logs`, `stop` and `chat` as a user calls them, in front of a stand-in server."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ftctl.process import session_members
from ftctl.run.create import create
from ftctl.run.directory import RunDir
from tests.conftest import Answer, Cli
from tests.ended_runs import ended_run
from tests.model_files import write_adapter, write_model
from tests.plans import plan
from tests.waiting import until

STANDIN = Path(__file__).parent.parent / "standin" / "server.py"


@pytest.fixture
def serving(ftctl: Cli) -> Iterator[Cli]:
    """The command line with a model folder `m` where it works; what a test leaves running is stopped."""
    write_model(ftctl.cwd / "m")
    yield ftctl
    if deployed(ftctl):
        ftctl("stop", "--all", "--now", code=0)


def deployed(cli: Cli) -> list[str]:
    """The names that were ever deployed."""
    return [folder.name for folder in (cli.home / "ftctl/state/deployments").glob("[!.]*")]


def deploy(cli: Cli, *arguments: str | Path, code: int = 0) -> Answer:
    return cli("deploy", *arguments, "--engine-python", STANDIN, code=code)


def finished_run(cli: Cli) -> Path:
    """A run of the job `small` with a verified result."""
    from ftctl.artifacts.verify import verify_model

    run = create(plan(), {}, cli.cwd / "runs")
    model = write_model(run.path / "output")
    run.write_json("artifact.json", verify_model(model))
    return run.path


def test_a_folder_is_served_under_its_own_name(serving: Cli) -> None:
    answer = deploy(serving, "m")
    assert "m: running at http://127.0.0.1:" in answer.out
    assert "m: importing the engine (0.0 s)" in answer.err
    row = serving("ps", "--json", code=0).data["deployments"][0]
    assert (row["name"], row["state"], row["artifact"]) == ("m", "running", str(serving.cwd / "m"))
    assert "non-default args" in serving("logs", "m", code=0).out
    assert serving("stop", "m", code=0).out == "m: stopped\n"
    assert session_members(row["pid"]) == ()
    assert serving("ps", code=0).out.startswith("nothing is deployed")
    assert serving("ps", "--all", "--json", code=0).data["deployments"][0]["state"] == "stopped"
    assert "non-default args" in serving("logs", "m", code=0).out
    assert serving("stop", "m", code=0).out == "m: was stopped already\n"


def test_a_run_is_served_by_its_name(serving: Cli) -> None:
    run = finished_run(serving)
    deploy(serving, "small", "--set", "max_length=32")
    row = serving("ps", "--json", code=0).data["deployments"][0]
    assert (row["name"], row["run"], row["artifact"]) == ("small", str(run), str(run / "output"))
    argv = Path(f"/proc/{row['pid']}/cmdline").read_text().split("\0")
    assert argv[argv.index("--max-model-len") + 1] == "32"


def test_a_job_file_means_its_newest_result(serving: Cli) -> None:
    job = serving.cwd / "job.yaml"
    (serving.cwd / "rows.jsonl").write_text('{"instruction": "a?", "output": "b"}\n')
    job.write_text(
        "name: small\nmodel: m\ndata: {train: rows.jsonl}\ntrain: {method: full}\n"
        "deploy: {name: desk, max_length: 16}\n"
    )
    assert "no run of small has a verified result yet" in deploy(serving, "job.yaml", code=2).err
    older = finished_run(serving)
    older.rename(older.with_name("20200101-000000-aaaa"))
    newest = finished_run(serving)
    create(plan(), {}, serving.cwd / "runs")  # one that left nothing
    deploy(serving, "job.yaml")
    row = serving("ps", "--json", code=0).data["deployments"][0]
    assert (row["name"], row["model"], row["run"]) == ("desk", "desk", str(newest))


def test_a_job_that_trains_nothing_serves_its_model(serving: Cli) -> None:
    (serving.cwd / "job.yaml").write_text("name: small\nmodel: ./m\ndeploy: {name: plain, max_length: 16}\n")
    deploy(serving, "job.yaml")
    row = serving("ps", "--json", code=0).data["deployments"][0]
    assert (row["name"], row["run"]) == ("plain", None)


def test_a_run_without_a_result_is_not_served(serving: Cli) -> None:
    run: RunDir = create(plan(), {}, serving.cwd / "runs")
    answer = deploy(serving, run.path, code=1)
    assert f"the run {run.path.name} has no verified result" in answer.err


def test_an_adapter_is_attached_to_its_base(serving: Cli) -> None:
    write_adapter(serving.cwd / "a", str(serving.cwd / "m"), rank=8)
    deploy(serving, "a", "--name", "ft")
    pid = serving("ps", "--json", code=0).data["deployments"][0]["pid"]
    argv = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    assert f"ft={serving.cwd / 'a'}" in argv
    assert argv[argv.index("--served-model-name") + 1] == "ft-base"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("nothing-here",), 2, "nothing-here is no run, model folder or job file"),
        ((".",), 2, "is no run and no model folder"),
        (("m", "--set", "maxlength=3"), 2, "did you mean max_length"),
        (("m", "--set", "max_length=65"), 2, "deploy.max_length is 65 and the model has 64 positions"),
        (("m", "--set", "engine=lmdeploy"), 4, "LMDeploy needs an NVIDIA GPU and this machine has none"),
        (("m", "--set", "native.host=0.0.0.0"), 2, "deploy.host"),
        (("m", "--name", "a/b"), 2, "cannot name a deployment"),
        (("m", "--set", "gpus=1"), 4, "this machine has none"),
    ],
)
def test_a_mistake_is_told_with_its_way_out(
    serving: Cli, arguments: tuple[str, ...], code: int, says: str
) -> None:
    if arguments[-1] == "gpus=1" and Path("/dev/nvidia0").exists():
        pytest.skip("this machine has a GPU")
    assert says in deploy(serving, *arguments, code=code).err
    assert deployed(serving) == []


def test_a_path_on_the_command_line_begins_at_this_folder(serving: Cli) -> None:
    answer = deploy(serving, "m", "--set", "tls={certificate: gone.pem, key: gone.pem}", code=2)
    assert f"deploy.tls: {serving.cwd}/gone.pem cannot be read" in answer.err


def test_a_model_that_was_cut_short_is_not_served(serving: Cli) -> None:
    weights = serving.cwd / "m" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    assert "model.safetensors" in deploy(serving, "m", code=2).err


def test_stop_wants_to_know_what(serving: Cli) -> None:
    assert "say what to stop" in serving("stop", code=2).err
    assert "no deployment and no run called x" in serving("stop", "x", code=2).err
    assert "no deployment and no run called x" in serving("logs", "x", code=2).err


def test_of_several_names_none_is_stopped_where_one_is_unknown(serving: Cli) -> None:
    deploy(serving, "m")
    assert "no deployment and no run called x" in serving("stop", "m", "x", code=2).err
    assert "there is no deployment called x" in serving("stop", "m", "x", "--no-restart", code=2).err
    assert "--all stops every deployment, and x is named too" in serving("stop", "--all", "x", code=2).err
    assert "write one or the other" in serving("stop", "m", "--now", "--no-restart", code=2).err
    assert serving("ps", "--json", code=0).data["deployments"][0]["state"] == "running"


def test_of_several_the_others_are_stopped_where_one_cannot_be(serving: Cli) -> None:
    deploy(serving, "m")
    answer = serving("stop", ended_run(serving.cwd).path, "m", code=2)
    assert answer.out == "m: stopped\n"
    assert "has ended" in answer.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--print", "curl", "--replace", "n"), "--print starts nothing, and --replace would do nothing"),
        (("--print", "curl", "--attach", "a=b"), "--print starts nothing, and --attach would do nothing"),
        (("--attach", "a=b", "--port", "1", "--wait"), "--attach starts nothing, and --port and --wait"),
        (("--detach-adapter", "a", "--set", "x=1"), "--detach-adapter starts nothing, and --set would"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(
    ftctl: Cli, arguments: tuple[str, ...], says: str
) -> None:
    assert says in ftctl("deploy", "m", *arguments, code=2).err


def test_chat_once_and_from_standard_input(serving: Cli) -> None:
    deploy(serving, "m")
    assert (
        serving("chat", "m", "你好", "--once", "--system", "be brief", code=0).out == "heard: be brief你好\n"
    )
    asked = subprocess.run(
        serving.argv("chat", "m"), env=serving.environment, input="from a pipe\n",
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert asked.stdout == "heard: from a pipe\n"
    assert "there is nothing to ask" in serving("chat", "m", code=2).err
    assert "broke off in the middle" in serving("chat", "m", "break off", "--once", code=1).err
    assert "there is nothing to ask" in serving("chat", "m", " ", "--once", code=2).err
    serving("stop", "m", code=0)


def test_what_does_not_serve_is_told_with_the_way_back(serving: Cli) -> None:
    deploy(serving, "m", "--name", "n")
    serving("stop", "n", code=0)
    again = f"ftctl deploy {serving.cwd / 'm'} --name n starts it again"
    for command, code in (
        (("chat", "n", "hello"), 4),
        (("deploy", "n", "--attach", "a=b"), 4),
        (("deploy", "m", "--replace", "n"), 4),
        (("deploy", "n", "--print", "curl"), 2),
    ):
        said = serving(*command, code=code).err
        assert "stopped" in said
        assert again in said
    deploy(serving, "m", "--name", "n", "--restart", "never")
    row = serving("ps", "--json", code=0).data["deployments"][0]
    os.kill(row["pid"], signal.SIGKILL)
    until(lambda: serving("ps", "--json", code=0).data["deployments"][0]["state"] == "failed")
    assert "n is failed: vLLM was killed by signal 9" in serving("chat", "n", "hello", code=4).err
    shown = serving("deploy", "n", "--print", "curl", code=0)
    assert "n is failed, and answers only once it runs" in shown.err


def test_a_conversation_on_a_terminal_ends_with_control_d(serving: Cli) -> None:
    deploy(serving, "m")
    leader, follower = pty.openpty()
    talk = subprocess.Popen(
        serving.argv("chat", "m", "one"), env={**serving.environment, "TERM": "dumb"},
        stdin=follower, stdout=follower, stderr=follower, start_new_session=True,
    )  # fmt: skip
    os.close(follower)
    try:
        assert "heard: one" in read_until(leader, "> ")
        os.write(leader, b"two\n")
        assert "heard: oneheard: onetwo" in read_until(leader, "two\r\n> ")
        os.write(leader, b"\x04")
        assert talk.wait(timeout=60) == 0
    finally:
        talk.kill()
        talk.wait()
        os.close(leader)


def test_an_address_can_be_copied_from_a_narrow_terminal(serving: Cli) -> None:
    deploy(serving, "m", "--name", "a-long-name-for-a-deployment")
    row = serving("ps", "--json", code=0).data["deployments"][0]
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    listed = subprocess.Popen(serving.argv("ps"), env=serving.environment, stdout=follower, stdin=follower)
    try:
        os.close(follower)
        shown = read_to_end(leader)
        assert listed.wait(timeout=60) == 0
    finally:
        listed.kill()
        listed.wait()
        os.close(leader)
    assert row["address"] in shown
    assert "a-long-name-for-a-deployment" in shown


def read_to_end(terminal: int) -> str:
    """What a terminal shows until nobody writes to it any more."""
    shown = b""
    with contextlib.suppress(OSError):  # Linux ends a terminal whose last writer is gone so
        while piece := os.read(terminal, 4096):
            shown += piece
    return shown.decode()


def read_until(terminal: int, ending: str, seconds: float = 60.0) -> str:
    """What a terminal shows, up to and with `ending`."""
    shown, deadline = "", time.monotonic() + seconds
    while not shown.endswith(ending):
        ready, _, _ = select.select([terminal], [], [], max(deadline - time.monotonic(), 0))
        assert ready, f"{ending!r} did not come after {shown!r}"
        shown += os.read(terminal, 4096).decode("utf-8", "replace")
    return shown
