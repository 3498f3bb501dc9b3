"""The kernel's memory killer at work: an engine in a control group with little memory, for real."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ftctl.launchers import launcher
from ftctl.process import session_members
from ftctl.rendered import Rendered
from ftctl.run.create import create
from ftctl.run.directory import RunDir
from ftctl.run.follow import follow
from ftctl.supervise.guard import engine_of
from tests.memory_group import JOIN, little_memory
from tests.plans import plan
from tests.standin.launch import ENGINE

LIMIT = 160 * 2**20  # bytes: enough for a node and a small program


@pytest.fixture
def group() -> Iterator[Path]:
    with little_memory(LIMIT) as file:
        yield file


def ended(run: RunDir) -> tuple[str, str]:
    """The diagnosis and the message of a run that has failed."""
    ending = follow(run.path, lambda _: None, lambda _: None)
    assert (ending.state, ending.exit_code) == ("FAILED", 1)
    engine = engine_of(run)
    assert engine is not None
    assert session_members(engine.pid) == ()
    return run.read_json("exit.json")["diagnosis"], ending.message


def test_a_run_in_a_group_that_is_too_small_is_told_by_whom_it_was_ended(tmp_path: Path, group: Path) -> None:
    """As in a container: the node sees its own group's count."""
    run = create(plan(), {"train": Rendered((sys.executable, ENGINE, "--eat-at", "3"))}, tmp_path)
    argv = ("sh", "-c", JOIN, str(group), sys.executable, "-P", "-m", "ftctl", "node", str(run.path))
    node = subprocess.Popen(argv, cwd=run.path, start_new_session=True)
    diagnosis, message = ended(run)
    node.wait(20)
    assert diagnosis == "killed_for_memory"
    assert "the kernel's memory killer ended it; the engine was killed by signal 9 after step 2" in message


def test_an_engine_in_a_group_of_its_own_is_told_with_less_certainty(tmp_path: Path, group: Path) -> None:
    argv = ("sh", "-c", JOIN, str(group), sys.executable, ENGINE, "--eat-at", "3")
    run = create(plan(), {"train": Rendered(argv)}, tmp_path)
    launcher("local").submit(run.path)
    diagnosis, message = ended(run)
    assert diagnosis == "killed_for_memory"
    assert "while the kernel's memory killer was at work: memory ran out" in message
