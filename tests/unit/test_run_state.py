"""A run's state: what is on disk and which processes live decide it, whatever was left behind."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ftctl.errors import UsageError
from ftctl.process import ProcessId, identify
from ftctl.rendered import Rendered
from ftctl.run.attempts import lost_record
from ftctl.run.create import create
from ftctl.run.directory import RunDir
from ftctl.run.state import LIVE, checked, standing, state_of
from ftctl.view.run_list import run_list
from tests.plans import plan
from tests.standin.launch import launching
from tests.waiting import until


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    """A run that was made and not launched; this process is its creator."""
    return create(plan(), {"train": Rendered(("/bin/true",))}, tmp_path)


@pytest.fixture
def sleeper() -> Iterator[ProcessId]:
    """A process that lives as long as the test."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    identity = identify(child.pid)
    assert identity is not None
    yield identity
    child.kill()
    child.wait()


def dead() -> ProcessId:
    """The identity of a process that has ended."""
    child = subprocess.Popen(["/bin/sleep", "60"])
    identity = identify(child.pid)
    child.kill()
    child.wait()
    assert identity is not None
    return identity


def test_a_run_is_pending_while_its_creator_lives(run: RunDir, sleeper: ProcessId) -> None:
    assert standing(run.path) == "PENDING"
    run.write_json("creator.json", sleeper)
    assert standing(run.path) == "PENDING"
    run.write_json("creator.json", dead())
    assert standing(run.path) == "LOST"
    run.write_json("creator.json", replace(sleeper, started=sleeper.started + 1))
    assert standing(run.path) == "LOST"  # the pid was given to another process
    (run.path / "creator.json").unlink()
    assert standing(run.path) == "LOST"


def test_a_node_that_has_not_recorded_itself_yet_is_found(run: RunDir) -> None:
    run.write_json("creator.json", dead())
    node = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", "node", str(run.path)])
    try:
        until(lambda: standing(run.path) == "RUNNING", 5.0)  # a moment after its start it has no words yet
    finally:
        node.kill()
        node.wait()
    assert standing(run.path) == "LOST"


def test_a_run_lives_with_its_node(run: RunDir, sleeper: ProcessId) -> None:
    run.write_json("node.json", sleeper)
    assert standing(run.path) == "RUNNING"
    run.ask_to_stop()
    assert standing(run.path) == "STOPPING"
    for gone in (
        dead(),
        replace(sleeper, started=sleeper.started - 1),
        replace(sleeper, boot="00000000-0000-0000-0000-000000000000"),
    ):
        run.write_json("node.json", gone)
        assert standing(run.path) == "LOST"


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"', '{"pid": "7"}', "null", '{"pid": 1}'])
def test_a_record_that_cannot_be_read_keeps_nothing_alive(run: RunDir, text: str) -> None:
    (run.path / "creator.json").unlink()
    for name in ("node.json", "exit.json", "run.json"):
        (run.path / name).write_text(text)
    state = state_of(run.path)
    assert (state.state, state.name, state.id) == ("LOST", "small", run.path.name)
    assert state.created > 0


@pytest.mark.parametrize("state", ["SUCCEEDED", "FAILED", "STOPPED", "LOST"])
def test_a_recorded_end_counts_whoever_still_lives(run: RunDir, sleeper: ProcessId, state: str) -> None:
    run.write_json("node.json", sleeper)
    progress = {"step": 7, "total_steps": 9, "loss": 0.5}
    run.write_json("exit.json", {"state": state, "exit_code": 3, "ended": 5.0, "progress": progress})
    seen = state_of(run.path)
    assert (seen.state, seen.exit_code, seen.ended) == (state, 3, 5.0)
    assert (seen.step, seen.total_steps, seen.loss) == (7, 9, 0.5)


def test_an_end_that_is_no_state_is_none(run: RunDir, sleeper: ProcessId) -> None:
    run.write_json("node.json", sleeper)
    run.write_json("exit.json", {"state": "HAPPY"})
    assert standing(run.path) == "RUNNING"


def test_half_a_run_is_pending_and_then_lost(tmp_path: Path, sleeper: ProcessId) -> None:
    half = RunDir(tmp_path / "small" / "20260101-000000-aaaa")
    half.write_json("creator.json", sleeper)
    assert state_of(half.path).state == "PENDING"
    half.write_json("creator.json", dead())
    assert (state_of(half.path).state, state_of(half.path).name) == ("LOST", "small")


def test_a_folder_that_is_not_there_is_lost(tmp_path: Path) -> None:
    assert state_of(tmp_path / "gone").state == "LOST"


def test_how_far_it_is_is_read_from_the_end(run: RunDir) -> None:
    assert state_of(run.path).step is None
    for step in range(1, 400):
        run.emit("step", {"step": step, "total_steps": 500, "loss": 1 / step, "note": "ü" * 200})
    for number in range(300):
        run.emit("deployment", {"name": "x", "detail": f'{number} of "step"' + "." * 300})
    with open(run.path / "events.jsonl", "ab") as file:
        file.write(b'{"time": 1, "event": "step", "step": 40')
    assert (run.path / "events.jsonl").stat().st_size > 3 * 64 * 1024
    state = state_of(run.path)
    assert (state.step, state.total_steps, state.loss) == (399, 500, 1 / 399)


def test_the_last_event_of_a_kind_wherever_blocks_are_cut(tmp_path: Path) -> None:
    for filler in range(60):
        folder = tmp_path / str(filler)
        folder.mkdir()
        run = RunDir(folder)
        run.emit("step", {"step": 1})
        run.emit("warning", {"message": "x" * (64 * 1024 - 90 + filler)})
        found = run.newest("step")
        assert found is not None and found.data["step"] == 1
        assert run.newest("stopped") is None


def test_states_are_spelled_as_one_likes() -> None:
    assert checked(["failed", "Lost"]) == ("FAILED", "LOST")
    with pytest.raises(UsageError, match="DONE is none of these states"):
        checked(["done"])
    with pytest.raises(UsageError, match="RUNNING"):
        checked(["running"], ("FAILED",))
    assert "RUNNING" in LIVE


def test_a_finished_run_keeps_its_figures_in_its_end(tmp_path: Path) -> None:
    with launching(tmp_path) as launch:
        run = launch("--steps", "3", "--pause", "0")
        until(lambda: standing(run.path) not in LIVE)
    record = json.loads((run.path / "exit.json").read_text())
    assert record["progress"] == {"step": 3, "total_steps": 3, "loss": 1.6667}
    assert (run.path / "exit.json").stat().st_size < 4096


def test_how_long_a_run_took_follows_no_set_clock(run: RunDir) -> None:
    identity = run.read_json("run.json")
    run.write_json("run.json", {**identity, "created": identity["created"] + 10_800})
    took = state_of(run.path).took
    assert took is not None and 0 <= took < 60
    run.write_json("run.json", {**identity, "clock": {**identity["clock"], "boot": "another"}})
    assert state_of(run.path).took is None, "before the machine was started again"
    told = state_of(run.path)._replace(ended=identity["created"] + 10_800, took=5.0, state="FAILED")
    assert "5.0 s" in run_list([told], now=0.0)


def test_a_lost_run_ended_with_its_last_event_and_not_its_latest_time(run: RunDir) -> None:
    run.emit("run", {"state": "started"}, 20_000.0)
    run.emit("step", {"step": 1}, 10_000.0)  # the clock was set back in between
    assert lost_record(run)["ended"] == 10_000.0
