"""The node: whatever the engine does, the run tells the truth and nothing is left over."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ftctl.launchers import launcher
from ftctl.process import ProcessId, alive, session_members
from ftctl.record import from_record
from ftctl.rendered import Rendered
from ftctl.run.control import stop
from ftctl.run.create import create
from ftctl.run.directory import RunDir
from ftctl.run.follow import follow
from ftctl.run.state import state_of
from tests.plans import plan
from tests.small_disk import fill, mounted
from tests.waiting import until

ENGINE = str(Path(__file__).parent.parent / "standin" / "engine.py")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., RunDir]]:
    """Start a run of the stand-in engine with these options, for real; ends what a test leaves."""
    runs: list[RunDir] = []

    def _start(*options: str, root: Path = tmp_path) -> RunDir:
        step = Rendered((sys.executable, ENGINE, *options))
        run = create(plan(), {"train": step}, root)
        runs.append(run)
        launcher("local").submit(run.path)
        return run

    yield _start
    for run in runs:
        if state_of(run.path).state in ("PENDING", "RUNNING", "STOPPING"):
            stop(run.path, now=True)


def steps_of(run: RunDir) -> list[int]:
    return [event.data["step"] for event in run.events() if event.kind == "step"]


def engine_of(run: RunDir) -> ProcessId:
    return from_record(ProcessId, run.read_json("engine.json"))


def ended(run: RunDir) -> bool:
    return state_of(run.path).state not in ("PENDING", "RUNNING", "STOPPING")


def test_a_failing_engine_fails_the_run_with_its_words(start: Callable[..., RunDir]) -> None:
    run = start("--fail-at", "3")
    seen: list[str] = []
    ending = follow(run.path, lambda event: seen.append(event.kind), lambda _: None)
    assert (ending.state, ending.exit_code) == ("FAILED", 1)
    assert "train: the engine ended with exit code 1 after step 2" in ending.message
    assert "ValueError: the stand-in was told to fail at step 3" in ending.message
    assert str(run.path / "engine.log") in ending.remedy
    assert seen.count("step") == 2
    assert seen[-1] == "run"
    assert not (run.path / "artifact.json").exists()


def test_an_engine_killed_in_training_is_named_as_killed(start: Callable[..., RunDir]) -> None:
    ending = follow(start("--die-at", "2").path, lambda _: None, lambda _: None)
    assert ending.exit_code == 1
    assert "was killed by signal 9 after step 1" in ending.message


def test_a_failure_is_recorded_with_its_diagnosis(start: Callable[..., RunDir]) -> None:
    run = start("--die-at", "2")
    ending = follow(run.path, lambda _: None, lambda _: None)
    assert "killed from outside (signal 9)" in ending.message
    assert "what decides: micro_batch_size 16" in ending.remedy
    last = [event for event in run.events() if event.kind == "run"][-1]
    for record in (last.data, run.read_json("exit.json")):
        assert (record["diagnosis"], record["may_pass"]) == ("killed", True)


def test_an_engine_without_a_sign_of_life_is_ended(tmp_path: Path) -> None:
    made = plan()
    resources = replace(made.job.resources, stall_timeout=0.6)
    silent = Rendered((sys.executable, ENGINE, "--steps", "2", "--pause", "60"))
    run = create(replace(made, job=replace(made.job, resources=resources)), {"train": silent}, tmp_path)
    launcher("local").submit(run.path)
    ending = follow(run.path, lambda _: None, lambda _: None)
    assert (ending.state, ending.exit_code) == ("FAILED", 1)
    assert "no progress: neither a step nor a line of its log for 0.01" in ending.message
    assert run.read_json("exit.json")["diagnosis"] == "stalled"
    assert session_members(engine_of(run).pid) == ()


def test_an_engine_that_leaves_no_result_is_a_failure(start: Callable[..., RunDir]) -> None:
    ending = follow(start("--steps", "2").path, lambda _: None, lambda _: None)
    assert (ending.state, ending.exit_code) == ("FAILED", 1)
    assert "output" in ending.message


def test_an_engine_that_cannot_be_started(tmp_path: Path) -> None:
    run = create(plan(), {"train": Rendered((str(tmp_path / "no-such-python"),))}, tmp_path)
    launcher("local").submit(run.path)
    ending = follow(run.path, lambda _: None, lambda _: None)
    assert (ending.state, ending.exit_code) == ("FAILED", 1)
    assert "no-such-python" in ending.message


def test_stop_lets_the_engine_save_first(start: Callable[..., RunDir]) -> None:
    run = start("--steps", "1000", "--pause", "0.3")
    until(lambda: len(steps_of(run)) > 1)
    stop(run.path, now=False)
    until(lambda: ended(run))
    state = state_of(run.path)
    assert (state.state, state.exit_code) == ("STOPPED", 130)
    kinds = [event.kind for event in run.events()]
    assert [kind for kind in kinds[-5:] if kind != "step"] == ["stopping", "checkpoint", "stopped", "run"]
    assert state.message == f"stopped at step {state.step}"


def test_stop_before_the_first_step_ends_the_engine(start: Callable[..., RunDir]) -> None:
    run = start("--loading", "60")
    until(lambda: run.read_json("engine.json") is not None)
    stop(run.path, now=False)
    until(lambda: ended(run))
    assert state_of(run.path).message == "stopped before its first step"
    assert not alive(engine_of(run))


def test_stop_now_leaves_nobody(start: Callable[..., RunDir]) -> None:
    run = start("--steps", "1000", "--child")
    until(lambda: bool(steps_of(run)))
    engine = engine_of(run)
    assert len(session_members(engine.pid)) == 2
    stop(run.path, now=True)
    assert session_members(engine.pid) == ()
    assert state_of(run.path).state == "STOPPED"


def test_a_dead_supervisor_is_seen_at_once(start: Callable[..., RunDir]) -> None:
    run = start("--steps", "1000")
    until(lambda: bool(steps_of(run)))
    node = from_record(ProcessId, run.read_json("node.json"))
    os.kill(node.pid, signal.SIGKILL)
    until(lambda: not alive(node))
    assert state_of(run.path).state == "LOST"
    ending = follow(run.path, lambda _: None, lambda _: None)
    assert (ending.state, ending.exit_code) == ("LOST", 1)
    from ftctl.process import stop_session

    stop_session(engine_of(run), grace=0.0)


def test_the_node_outlives_the_terminal(start: Callable[..., RunDir]) -> None:
    run = start("--steps", "20", "--pause", "0.05")
    until(lambda: bool(steps_of(run)))
    node = from_record(ProcessId, run.read_json("node.json"))
    os.kill(node.pid, signal.SIGHUP)
    until(lambda: ended(run))
    assert steps_of(run) == list(range(1, 21))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "disk", "1m") as folder:
        yield folder


def test_a_full_disk_is_said_and_recorded(small_disk: Path, start: Callable[..., RunDir]) -> None:
    run = start("--steps", "1000", "--noise", "20000", root=small_disk)
    ending = follow(run.path, lambda _: None, lambda _: None)
    assert (ending.state, ending.exit_code) == ("FAILED", 1)
    assert "o space left on" in ending.message
    assert run.read_json("exit.json")["diagnosis"] == "disk_full"
    assert session_members(engine_of(run).pid) == ()


def test_no_room_for_a_run_at_all(small_disk: Path) -> None:
    from ftctl.errors import FtctlError

    fill(small_disk, 8192)
    with pytest.raises(FtctlError, match="no space left for the run"):
        create(plan(), {"train": Rendered(("/bin/true",))}, small_disk)
    assert not list((small_disk / "small").iterdir())
