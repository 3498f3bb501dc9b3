"""The index made again: by many commands at once, and by one that was killed in the middle."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ftctl import registry
from ftctl.database import database, use
from ftctl.run import folders, index
from tests.waiting import until

COUNT = 60
END = json.dumps({"state": "SUCCEEDED"})
LIST = "from ftctl.run.index import listed; print(*(run.id for run in listed()))"
# A command that writes the index after every run that it reads.
SLOWLY = "from ftctl.run import index; index.BATCH = 1; index.take_in()"


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of runs of four jobs, oldest first; no index knows them."""
    monkeypatch.setenv("FTCTL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FTCTL_RUNS", str(tmp_path / "runs"))
    for number in range(COUNT):
        folder = tmp_path / f"runs/job-{number % 4}/r{number:04}"
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(json.dumps({"name": folder.parent.name, "created": number}))
        (folder / "exit.json").write_text(END)
    return [f"r{number:04}" for number in range(COUNT)]


def start(program: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program], env=os.environ, stdout=subprocess.PIPE, text=True
    )


def test_many_commands_at_once_make_it_again_and_all_tell_the_truth(runs: list[str]) -> None:
    commands = [start(LIST) for _ in range(4)]
    assert [command.communicate(timeout=60)[0].split() for command in commands] == [runs] * 4
    assert [row[2] for row in registry.newest_first()] == runs[::-1]


@dataclass
class Halted:
    """A command that has made half of the index, a run at a time, and waits to read the next run."""

    process: subprocess.Popen[str]
    gate: Path  # a pipe: what is written to it is that run's exit.json

    def go_on(self) -> None:
        self.gate.write_text(END)


@pytest.fixture
def halted(runs: list[str], tmp_path: Path) -> Iterator[Halted]:
    order = [run for job in folders.jobs() for run in folders.in_job(job)]
    record, gate = Path(order[COUNT // 2], "exit.json"), tmp_path / "gate"
    os.mkfifo(gate)
    record.unlink()
    record.hardlink_to(gate)
    process = start(SLOWLY)
    until(lambda: database().exists() and len(registry.directories()) == COUNT // 2)
    (tmp_path / "end").write_text(END)
    (tmp_path / "end").replace(record)
    yield Halted(process, gate)
    process.kill()
    process.communicate()


def test_one_that_is_killed_in_the_middle_loses_nothing(runs: list[str], halted: Halted) -> None:
    halted.process.kill()
    halted.process.wait(20)
    assert len(registry.directories()) == COUNT // 2
    assert [run.id for run in index.listed()] == runs
    assert use(lambda connection: connection.execute("PRAGMA integrity_check").fetchone()[0]) == "ok"


def test_it_can_be_deleted_while_a_command_makes_it(runs: list[str], halted: Halted) -> None:
    for file in database().parent.glob(f"{database().name}*"):
        file.unlink()
    assert [run.id for run in index.listed()] == runs
    halted.go_on()
    assert halted.process.wait(60) == 0
    assert [run.id for run in index.listed()] == runs
    assert [row[2] for row in registry.newest_first()] == runs[::-1]
