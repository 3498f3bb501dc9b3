"""A supervisor that is killed is started again by its guard, where the job allows it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ftctl.events import Event
from ftctl.launchers import launcher
from ftctl.leases.folder import holders
from ftctl.leases.model import Wish
from ftctl.leases.take import Asking, take
from ftctl.process import ProcessId, alive, own_session
from ftctl.record import from_record
from ftctl.rendered import Rendered
from ftctl.run.control import stop
from ftctl.run.create import create
from ftctl.run.curve import curve
from ftctl.run.directory import RunDir
from ftctl.run.state import LIVE, standing, state_of
from ftctl.supervise.restart import Setback, before, decide
from ftctl.supervise.restart import told as fields_of
from tests.conftest import Cli
from tests.flow.test_resume_cli import GPU, job, the_run
from tests.plans import plan
from tests.standin.launch import ENGINE
from tests.waiting import until


def process(run: RunDir, name: str) -> ProcessId:
    return from_record(ProcessId, run.read_json(name))


def kill(run: RunDir, *names: str) -> None:
    """`kill -9`, and nothing is looked at before they are gone."""
    those = [process(run, name) for name in names]
    for one in those:
        os.kill(one.pid, signal.SIGKILL)
    until(lambda: not any(alive(one) for one in those))


def steps(run: RunDir) -> list[int]:
    return [event.data["step"] for event in curve(run.events())]


def events(run: RunDir, kind: str) -> list[Event]:
    return [event for event in run.events() if event.kind == kind]


def test_a_killed_supervisor_is_started_again_and_loses_nothing(ftctl: Cli) -> None:
    longer = ("--set", "train.max_steps=30", "--detach")
    ftctl("train", job(ftctl, max_restarts=1), *longer, env={"STANDIN_PAUSE": "0.08"}, code=0)
    run = the_run(ftctl)
    watch = subprocess.Popen(
        ftctl.argv("watch", run.path),
        env=ftctl.environment,
        cwd=ftctl.cwd,
        stderr=subprocess.PIPE,
        text=True,
    )
    until(lambda: steps(run))
    kill(run, "node.json")
    assert standing(run.path) != "LOST"
    _, words = watch.communicate(timeout=60)
    assert watch.returncode == 0, words
    assert standing(run.path) == "SUCCEEDED"
    assert steps(run) == list(range(1, 31))
    (attempt,) = events(run, "attempt")
    assert (attempt.data["restart"], attempt.data["after"]) == (1, "LOST")
    assert 0 < attempt.data["step"] < 30


@pytest.fixture
def leases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of leases, for this process and for those that it starts."""
    folder = tmp_path / "leases"
    monkeypatch.setenv("FTCTL_LEASES", str(folder))
    return folder


@pytest.fixture
def waiting(ftctl: Cli, leases: Path) -> Iterator[RunDir]:
    """A run in its training, on a GPU that no machine need have; it would be started again after a minute."""
    made = plan()
    resources = replace(made.job.resources, max_restarts=9)
    step = Rendered((sys.executable, ENGINE, "--steps", "1000"))
    run = create(
        replace(made, job=replace(made.job, resources=resources)), {"train": step}, ftctl.cwd / "runs"
    )
    for number in range(1, 6):
        setbacks = [Setback("killed", True, "train", -9, -one) for one in range(1, number + 1)]
        run.emit("restart", fields_of(decide(setbacks, 9), setbacks, 9))
    lease = take(Asking(Wish((), 1, (0,)), (GPU,), "this test", leases, lambda: ({}, None)))
    launcher("local").submit(run.path, lease)
    until(lambda: steps(run))
    yield run
    if standing(run.path) in LIVE or own_session(process(run, "engine.json")):
        stop(run.path, now=True)


def test_a_stop_ends_the_wait_in_which_the_gpus_are_kept(ftctl: Cli, waiting: RunDir, leases: Path) -> None:
    kill(waiting, "node.json")
    until(lambda: len(events(waiting, "restart")) == 6)
    assert not own_session(process(waiting, "engine.json"))
    (holder,) = holders(leases)
    assert holder.what == f"run small {waiting.path.name}, to be started again"
    assert holder.pid == process(waiting, "guard.json").pid
    state = state_of(waiting.path)
    assert (state.state, state.message) == (
        "PENDING",
        "its supervisor was killed; it is started again after 64 s (restart 6 of 9)",
    )
    told = ftctl("ps", code=0).out
    assert f"{waiting.path.name}: {state.message}" in told
    assert f"{waiting.path.name}: holds GPU 0" in told
    assert "is PENDING" in ftctl("resume", waiting.path, code=2).err
    stop(waiting.path, now=False)
    until(lambda: standing(waiting.path) == "STOPPED")
    assert "before it was taken up again" in str(state_of(waiting.path).message)
    assert waiting.attempt() == 1
    until(lambda: not holders(leases))


def test_without_its_guard_a_run_is_lost(waiting: RunDir) -> None:
    kill(waiting, "guard.json", "node.json")
    assert standing(waiting.path) == "LOST"
    assert len(events(waiting, "restart")) == 5


def test_a_guard_that_is_killed_while_it_waits_leaves_the_run_lost(waiting: RunDir) -> None:
    kill(waiting, "node.json")
    until(lambda: len(events(waiting, "restart")) == 6)
    kill(waiting, "guard.json")
    assert standing(waiting.path) == "LOST"


def test_stop_now_leaves_no_guard(waiting: RunDir) -> None:
    kill(waiting, "node.json")
    stop(waiting.path, now=True)
    assert standing(waiting.path) == "STOPPED"
    assert not alive(process(waiting, "guard.json"))
    assert not own_session(process(waiting, "engine.json"))


def test_the_restarts_of_all_attempts_are_counted_until_somebody_takes_the_run_up() -> None:
    """By who supervised it does not matter: the next one reads it from the events."""
    past: list[Setback] = []
    log: list[Event] = []
    for number, step in enumerate((3, 7, 7), start=1):
        setback = Setback("killed", True, "train", -9, step)
        decision = decide([*past, setback], allowed=5)
        log.append(Event("restart", float(number), fields_of(decision, [*past, setback], 5)))
        if decision.again:
            log.append(Event("attempt", float(number), {"restart": number}))
        past = before(log)
    assert [setback.step for setback in past] == [3, 7]
    assert "at the same place twice" in log[-1].data["reason"]
    assert before([*log, Event("attempt", 9.0, {"number": 4})]) == []
