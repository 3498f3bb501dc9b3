"""The verbs that look after runs, as processes of their own, on runs of the stand-in engine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest

from ftctl.deployments import store
from ftctl.deployments.model import Deployment
from ftctl.process import ProcessId, alive, identify, own_session
from ftctl.record import from_record
from ftctl.rendered import Rendered
from ftctl.run.create import create
from ftctl.run.directory import RunDir
from ftctl.run.state import LIVE, standing
from tests.conftest import Cli
from tests.plans import plan
from tests.standin.launch import Launch, launching
from tests.waiting import freeze, until


@pytest.fixture
def launch(ftctl: Cli) -> Iterator[Launch]:
    """Launches runs where `ftctl` finds them."""
    with launching(ftctl.cwd / "runs") as launch:
        yield launch


def follow(ftctl: Cli, *arguments: str) -> subprocess.Popen[str]:
    """A watching process, its standard output and error piped."""
    return subprocess.Popen(
        ftctl.argv("watch", *arguments),
        env=ftctl.environment,
        cwd=ftctl.cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(run: RunDir) -> bool:
    return standing(run.path) not in LIVE


def ended_run(ftctl: Cli, state: str = "FAILED", name: str = "small") -> RunDir:
    """A run that has ended, by its records alone."""
    run = create(plan(), {"train": Rendered(("/bin/true",))}, ftctl.cwd / "runs")
    record = {"state": state, "exit_code": 1, "message": "m", "remedy": "r", "ended": time.time()}
    run.write_json("exit.json", record)
    return run


def test_any_number_watch_one_run_and_end_with_its_exit_code(ftctl: Cli, launch: Launch) -> None:
    run = launch("--steps", "30", "--pause", "0.05", "--fail-at", "20")
    watchers = [follow(ftctl, run.path.name), follow(ftctl, "small", "--json"), follow(ftctl, str(run.path))]
    answers = [watcher.communicate(timeout=60) for watcher in watchers]
    assert [watcher.returncode for watcher in watchers] == [1, 1, 1]
    for out, err in (answers[0], answers[2]):
        assert out == ""
        assert "step 1/30" in err
        assert "the engine ended with exit code 1 after step 19" in err
    *events, last = map(json.loads, answers[1][0].splitlines())
    assert events == [json.loads(event.line()) for event in run.events()]
    assert (last["command"], last["exit_code"], last["data"]["state"]) == ("watch", 1, "FAILED")
    late = ftctl("watch", run.path.name, "--json", code=1)  # one that has ended is shown all the same
    assert late.out.splitlines()[:-1] == answers[1][0].splitlines()[:-1]


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_ctrl_c_and_a_killed_watcher_leave_the_run_alone(
    ftctl: Cli, launch: Launch, options: tuple[str, ...]
) -> None:
    run = launch("--steps", "2000", "--pause", "0.02")
    for number, code in ((signal.SIGINT, 130), (signal.SIGKILL, -9)):
        watcher = follow(ftctl, run.path.name, *options)
        stream = watcher.stdout if options else watcher.stderr
        assert stream is not None
        until(lambda stream=stream: "step" in stream.readline())  # type: ignore[misc] # bound at once
        watcher.send_signal(number)
        out, err = watcher.communicate(timeout=60)
        assert watcher.returncode == code
        if number == signal.SIGINT:
            assert f"the run {run.path.name} goes on" in (out if options else err)
    assert standing(run.path) == "RUNNING"
    assert not (run.path / "stop").exists()


def test_a_watcher_sees_that_the_supervisor_died(ftctl: Cli, launch: Launch) -> None:
    run = launch("--steps", "2000", "--pause", "0.02")
    until(lambda: run.newest("step"))
    watcher = follow(ftctl, run.path.name, "--json")
    assert watcher.stdout is not None
    watcher.stdout.readline()
    node, engine = (from_record(ProcessId, run.read_json(f"{one}.json")) for one in ("node", "engine"))
    freeze(engine.pid)  # so that it cannot end when the guard asks it to
    os.kill(node.pid, signal.SIGKILL)
    out, _ = watcher.communicate(timeout=60)
    assert watcher.returncode == 1
    assert json.loads(out.splitlines()[-1])["data"]["state"] == "LOST"
    assert alive(engine)
    answer = ftctl("rm", run.path.name, "--yes", code=2)
    assert f"ftctl stop {run.path.name} --now" in answer.err
    ftctl("stop", run.path.name, "--now", code=0)
    assert own_session(engine) == ()
    ftctl("rm", run.path.name, "--yes", code=0)
    assert not run.path.exists()


def test_a_run_that_was_never_started_ends_its_watcher(ftctl: Cli) -> None:
    run = create(plan(), {"train": Rendered(("/bin/true",))}, ftctl.cwd / "runs")
    watcher = follow(ftctl, run.path.name)
    time.sleep(0.5)
    assert watcher.poll() is None  # pending: this process is about to start it
    (run.path / "creator.json").unlink()
    _, err = watcher.communicate(timeout=60)
    assert watcher.returncode == 1
    assert "the run was never started" in err


def test_what_is_running_is_shown_and_what_is_not(ftctl: Cli, launch: Launch) -> None:
    failed, run = ended_run(ftctl), launch("--steps", "2000", "--pause", "0.02")
    until(lambda: run.newest("step"))
    assert [one["id"] for one in ftctl("ps", "--json").data["runs"]] == [run.path.name]
    shown = ftctl("ps").out
    assert run.path.name in shown and failed.path.name not in shown
    listed = ftctl("runs", "--json").data["runs"]
    assert {one["id"]: one["state"] for one in listed} == {
        failed.path.name: "FAILED", run.path.name: "RUNNING"
    }  # fmt: skip
    assert ftctl("runs", "--state", "failed", "--json").data["runs"][0]["message"] == "m"
    assert ftctl("runs", "--name", "nobody").out == "there is no such run\n"
    head, newest, more = ftctl("runs", "--last", "1").out.splitlines()
    assert head.startswith("run") and newest.startswith(run.path.name)
    assert more == "older ones are not shown: ftctl runs --last 10"
    refused = ftctl("rm", run.path.name, "--yes", code=2)
    assert f"the run {run.path.name} is RUNNING" in refused.err
    assert run.path.is_dir()


def test_rm_shows_what_it_frees_and_asks(ftctl: Cli) -> None:
    run, other = ended_run(ftctl), ended_run(ftctl, "STOPPED")
    (run.path / "output").mkdir()
    (run.path / "output/model.safetensors").write_bytes(b"x" * 3 * 2**20)
    (run.path / "output/twin").hardlink_to(run.path / "output/model.safetensors")
    (run.path / "data").symlink_to("/usr")
    unsaid = ftctl("rm", run.path.name, code=2)
    assert "3 MiB" in unsaid.err and "--yes" in unsaid.err
    assert run.path.is_dir()
    both = ftctl("rm", run.path.name, "nobody", "--yes", code=2)
    assert "there is no run called nobody" in both.err
    assert run.path.is_dir()
    left = run.path.with_name(".removing-20250101-000000-aaaa")
    left.mkdir()
    done = ftctl("rm", run.path.name, "--yes", "--json", code=0)
    assert [one["id"] for one in done.data["removed"]] == [run.path.name]
    assert 3 * 2**20 < done.data["freed"] < 4 * 2**20
    assert not run.path.exists() and not left.exists()
    assert [one["id"] for one in ftctl("runs", "--json").data["runs"]] == [other.path.name]
    ftctl("rm", "--state", "stopped", "--yes", code=0)
    assert not other.path.parent.exists()


@pytest.mark.parametrize(("said", "code", "left"), [("y\n", 0, False), ("n\n", 130, True)])
def test_rm_asks_on_a_terminal(ftctl: Cli, said: str, code: int, left: bool) -> None:
    run = ended_run(ftctl)
    primary, secondary = os.openpty()
    child = subprocess.Popen(
        ftctl.argv("rm", run.path.name), env=ftctl.environment, cwd=ftctl.cwd,
        stdin=secondary, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    os.close(secondary)
    os.write(primary, said.encode())
    _, err = child.communicate(timeout=60)
    os.close(primary)
    assert "remove 1 run and free" in err
    assert child.returncode == code
    assert run.path.exists() is left


@pytest.mark.parametrize("arguments", [(), ("x", "--state", "failed"), ("--state", "running"), ("small",)])
def test_rm_wants_to_know_exactly_which(ftctl: Cli, arguments: tuple[str, ...]) -> None:
    run = ended_run(ftctl)
    ftctl("rm", *arguments, "--yes", code=2)
    assert run.path.is_dir()


def test_rm_of_what_was_left_half_made(ftctl: Cli) -> None:
    half = ftctl.cwd / "runs/small/20260101-000000-half"
    half.mkdir(parents=True)
    (half / "creator.json").write_text('{"pid": 1, "started": 0, "boot": "another"}')
    assert ftctl("runs", "--json").data["runs"][0]["state"] == "LOST"
    ftctl("rm", "--state", "lost", "--yes", code=0)
    assert not half.exists()


def test_rm_never_takes_a_model_from_under_a_server(ftctl: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    run = ended_run(ftctl, "SUCCEEDED")
    server = subprocess.Popen(["/bin/sleep", "60"])
    process = identify(server.pid)
    assert process is not None
    folder = ftctl.home / "ftctl/state/deployments/bot"
    folder.mkdir(parents=True)
    monkeypatch.setenv("FTCTL_HOME", str(ftctl.home / "ftctl"))
    artifact = str(run.path / "output")
    deployed = Deployment("bot", "vllm", "bot", "http://127.0.0.1:9", process, 1.0, str(folder), artifact)
    store.write(store.Entry(deployed))
    try:
        refused = ftctl("rm", run.path.name, "--yes", code=2)
        assert f"the deployment bot serves from the run {run.path.name}" in refused.err
        assert "ftctl stop bot" in refused.err
        assert run.path.is_dir()
    finally:
        server.kill()
        server.wait()
    ftctl("rm", run.path.name, "--yes", code=0)


def test_two_runs_side_by_side(ftctl: Cli, launch: Launch) -> None:
    one, two = launch("--steps", "2", "--pause", "0"), launch("--steps", "4", "--pause", "0")
    two_plan = json.loads((two.path / "plan.json").read_text())
    two_plan["job"]["train"]["learning_rate"] = 0.5
    two_plan["choices"][0]["value"] = "other"
    two.write_json("plan.json", two_plan)
    until(lambda: finished(one) and finished(two))
    lines = ftctl("runs", "compare", one.path.name, two.path.name, "--json", code=0).data["lines"]
    found = {(line["section"], line["key"]): (line["a"], line["b"]) for line in lines}
    assert found.pop(("job", "train.learning_rate")) == (None, 0.5)
    assert found.pop(("plan", two_plan["choices"][0]["key"]))[1] == "other"
    assert found[("result", "step")] == (2, 4)
    assert found[("result", "loss")] == (2.5, 1.25)
    assert found[("result", "state")] == ("FAILED", "FAILED")  # the stand-in leaves no weights
    assert found[("time", "total")][0] > 0
    assert {section for section, _ in found} == {"result", "time"}
    text = ftctl("runs", "compare", one.path.name, two.path.name, code=0).out
    assert "train.learning_rate" in text and "1.25" in text
