"""The index of runs: right under many writers, and never in the way."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from ftctl import registry
from ftctl.database import database


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory of the test's own."""
    folder = tmp_path / "home"
    monkeypatch.setenv("FTCTL_HOME", str(folder))
    return folder


def ids() -> list[str]:
    return [row[2] for row in registry.newest_first()]


def test_a_run_is_remembered_once_and_forgotten(tmp_path: Path) -> None:
    assert ids() == []
    registry.add_run(tmp_path / "b", "bot", "b", 2.0)
    registry.add_run(tmp_path / "b", "bot", "b", 3.0)
    assert list(registry.newest_first()) == [(str(tmp_path / "b"), "bot", "b", 3.0, None, None, None)]
    assert registry.directories() == {str(tmp_path / "b")}
    registry.forget([str(tmp_path / "b")])
    assert ids() == []


def test_runs_come_newest_first_and_by_name(tmp_path: Path) -> None:
    for created, (name, identity) in enumerate([("bot", "b"), ("other", "x"), ("bot", "a")]):
        registry.add_run(tmp_path / identity, name, identity, float(created))
    assert ids() == ["a", "x", "b"]
    assert [row[2] for row in registry.newest_first("bot")] == ["a", "b"]
    assert list(registry.newest_first("nobody")) == []


@pytest.mark.parametrize("name", [None, "bot"])
def test_pages_give_each_run_once_however_many_are_of_one_age(tmp_path: Path, name: str | None) -> None:
    rows: list[registry.Row] = [
        (str(tmp_path / f"{number:02}"), "bot", f"r{number // 9}", float(number // 5), None, None, None)
        for number in range(40)
    ]
    registry.keep(rows)
    rows.sort(key=registry.AGE, reverse=True)
    for page in (1, 3, 40, 41, None):
        assert list(registry.newest_first(name, page)) == rows


def test_to_forget_a_run_is_to_doubt_what_its_folder_holds(tmp_path: Path) -> None:
    one, other = str(tmp_path / "one"), str(tmp_path / "other")
    registry.keep_marks({one: "1 1", other: "1 1"})
    registry.forget([f"{one}/b"])
    assert registry.marks() == {other: "1 1"}


@pytest.mark.parametrize(
    "content", [b"this is no database, not at all, whatever its name says\n" * 40, b"SQLite"]
)
def test_a_corrupt_database_is_put_aside_and_begun_anew(tmp_path: Path, content: bytes) -> None:
    folder = tmp_path / "b"
    file = database()
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    registry.add_run(folder, "bot", "b", 1.0)
    assert ids() == ["b"]
    kept = [path for path in file.parent.iterdir() if "unusable" in path.name]
    assert [path.read_bytes() for path in kept] == [content]


def test_a_database_of_another_version_is_put_aside(tmp_path: Path) -> None:
    folder = tmp_path / "b"
    registry.add_run(folder, "bot", "b", 1.0)
    other = sqlite3.connect(database())
    other.execute("PRAGMA user_version = 99")
    other.close()
    registry.add_run(folder, "bot", "b", 1.0)
    assert ids() == ["b"]


def test_a_state_directory_that_cannot_be_made_stops_nothing(tmp_path: Path, home: Path) -> None:
    home.write_text("a file where the folder would be")
    registry.add_run(tmp_path, "bot", "b", 1.0)
    assert ids() == []


def test_a_locked_database_stops_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "b"
    registry.add_run(folder, "bot", "b", 1.0)
    other = sqlite3.connect(database(), isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    registry.add_run(folder, "bot", "again", 2.0, busy_timeout=0.1)
    other.execute("COMMIT")
    other.close()
    assert ids() == ["b"]


WRITER = """
import sys
from pathlib import Path
from ftctl import registry
from ftctl.database import database
root, writer = Path(sys.argv[1]), sys.argv[2]
for number in range(25):
    registry.add_run(root, "bot", f"{writer}-{number}", 1.0)
    registry.add_run(root / f"{writer}-{number}", "bot", f"{writer}-{number}", 1.0)
"""


def test_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), str(writer)], env=os.environ)
        for writer in range(4)
    ]
    assert [writer.wait(60) for writer in writers] == [0] * 4
    wanted = {f"{writer}-{number}" for writer in range(4) for number in range(25)}
    found = {Path(directory).name for directory in registry.directories()}
    assert wanted <= found
    assert found - wanted == {tmp_path.name}
