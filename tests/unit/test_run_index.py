"""The list of all runs: quick by the index, and true without it."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pytest

from ftctl import registry
from ftctl.database import database
from ftctl.errors import UsageError
from ftctl.run.find import find, lookup, one, runs_of
from ftctl.run.index import enter, listed, live
from ftctl.run.roots import roots, tell_root


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory and a working directory of the test's own."""
    folder, work = tmp_path / "home", tmp_path / "work"
    work.mkdir()
    monkeypatch.setenv("FTCTL_HOME", str(folder))
    monkeypatch.delenv("FTCTL_RUNS", raising=False)
    monkeypatch.chdir(work)
    return folder


def make(root: Path, name: str, identity: str, state: str | None = "SUCCEEDED", created: float = 1.0) -> Path:
    """A run as its directory tells it; without a state it has recorded no end."""
    folder = root / name / identity
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"name": name, "id": identity, "created": created}))
    if state is not None:
        end(folder, state)
    return folder


def end(folder: Path, state: str, step: int = 4) -> None:
    record = {"state": state, "exit_code": 0, "message": "", "remedy": "", "ended": 9.0}
    temporary = folder / "exit.tmp"
    temporary.write_text(json.dumps({**record, "progress": {"step": step, "total_steps": 8, "loss": 0.5}}))
    temporary.replace(folder / "exit.json")


def states() -> dict[str, str]:
    return {run.id: run.state for run in listed()}


def test_runs_are_found_and_come_oldest_first(tmp_path: Path) -> None:
    make(Path("runs").absolute(), "bot", "b", "FAILED", created=3.0)
    make(Path("runs").absolute(), "bot", "c", None, created=2.0)
    elsewhere = make(tmp_path / "elsewhere", "cat", "a", created=1.0)
    enter(elsewhere, "cat", 1.0)
    for _ in range(2):  # read from the directories first, from the index then
        assert states() == {"a": "SUCCEEDED", "c": "LOST", "b": "FAILED"}
        assert [run.id for run in listed()] == ["a", "c", "b"]
        assert [run.id for run in listed("bot")] == ["c", "b"]
        assert [run.id for run in listed("bot", ("FAILED",))] == ["b"]
        assert [run.id for run in listed(last=2)] == ["c", "b"]
        assert live() == []
    first = listed()[0]
    assert (first.directory, first.step, first.total_steps, first.loss) == (str(elsewhere), 4, 8, 0.5)


def test_an_end_is_taken_from_the_index_and_nothing_is_read() -> None:
    folder = make(Path("runs").absolute(), "bot", "b")
    before = listed()
    kept = (folder / "exit.json").stat()
    (folder / "exit.json").write_text("not read")
    os.utime(folder / "exit.json", ns=(kept.st_atime_ns, kept.st_mtime_ns))
    assert listed() == before


def test_an_end_that_is_taken_back_or_replaced_is_seen_at_once() -> None:
    folder = make(Path("runs").absolute(), "bot", "b", "STOPPED")
    assert states() == {"b": "STOPPED"}
    (folder / "exit.json").unlink()
    assert states() == {"b": "LOST"}
    end(folder, "SUCCEEDED", step=8)
    assert states() == {"b": "SUCCEEDED"}
    assert listed()[0].step == 8


def test_a_directory_that_is_gone_is_not_listed() -> None:
    folder = make(Path("runs").absolute(), "bot", "b")
    other = make(Path("runs").absolute(), "bot", "c", None)
    assert len(listed()) == 2
    shutil.rmtree(folder)
    shutil.rmtree(other)
    assert listed() == []


def test_a_lost_index_is_made_again_from_every_folder_of_runs(tmp_path: Path, home: Path) -> None:
    for number in range(3):
        enter(make(tmp_path / f"place-{number}", "bot", f"r{number}", created=number), "bot", number)
    make(Path("runs").absolute(), "bot", "here", created=9.0)
    before = listed()
    assert [run.id for run in before] == ["r0", "r1", "r2", "here"]
    for file in (home / "state").glob("registry.sqlite3*"):
        file.unlink()
    assert listed() == before
    database().write_bytes(b"no database at all" * 100)
    assert listed() == before


def test_without_a_database_all_is_read_from_the_directories(home: Path) -> None:
    home.write_text("a file where the folder would be")
    make(Path("runs").absolute(), "bot", "b", created=2.0)
    make(Path("runs").absolute(), "bot", "a", "FAILED", created=1.0)
    assert [run.id for run in listed()] == ["a", "b"]
    assert lookup("bot") == Path("runs/bot/b").absolute()


def test_a_half_made_run_is_listed_and_can_be_named() -> None:
    folder = Path("runs/bot/half").absolute()
    folder.mkdir(parents=True)
    assert listed() == []  # an empty folder is no run
    (folder / "creator.json").write_text(json.dumps({"pid": 1, "started": 0, "boot": "another"}))
    assert states() == {"half": "LOST"}
    assert lookup("half") is None
    assert lookup("half", half=True) == one("half") == folder
    assert runs_of("bot") == []


def test_hidden_folders_are_no_runs() -> None:
    make(Path("runs").absolute(), "bot", ".removing-b")
    assert listed() == []


def test_a_run_by_name_by_id_and_by_a_part_of_it() -> None:
    root = Path("runs").absolute()
    old, new = make(root, "bot", "20260101-aaaa"), make(root, "bot", "20260102-bbbb")
    assert lookup("bot") == find("bot") == new
    assert lookup("20260101-aaaa") == lookup("aaaa") == one("aaaa") == old
    assert lookup(str(old)) == one(str(old)) == old
    with pytest.raises(UsageError, match="2026 fits 2 runs"):
        lookup("2026")
    with pytest.raises(UsageError, match="bot is the name of a job"):
        one("bot")
    with pytest.raises(UsageError, match="there is no run called nobody"):
        find("nobody")


def test_folders_of_runs_are_told_once(tmp_path: Path, home: Path) -> None:
    tell_root(tmp_path / "a")
    tell_root(tmp_path / "a")
    tell_root(tmp_path / "b\n")
    with open(home / "state/run-folders.jsonl", "a") as file:
        file.write('"relative"\n{}\n"cut sho')
    assert roots() == [Path("runs").absolute(), tmp_path / "a", tmp_path / "b\n"]


def test_a_database_of_the_version_before_is_brought_up_to_date(tmp_path: Path) -> None:
    import sqlite3

    folder = make(tmp_path / "elsewhere", "bot", "b")
    database().parent.mkdir(parents=True)
    old = sqlite3.connect(database())
    old.execute(
        "CREATE TABLE runs(directory TEXT PRIMARY KEY, name TEXT NOT NULL, id TEXT NOT NULL, created REAL)"
    )
    old.execute("INSERT INTO runs VALUES (?, 'bot', 'b', 1.0)", (str(folder),))
    old.execute("PRAGMA user_version = 1")
    old.commit()
    old.close()
    assert states() == {"b": "SUCCEEDED"}
    assert states() == {"b": "SUCCEEDED"}
    assert next(registry.newest_first())[5] == "SUCCEEDED"


def rested(folder: Path) -> None:
    """Let it be long since anything was put into the folder or taken out of it."""
    os.utime(folder, ns=(0, time.time_ns() - 3_600_000_000_000))


def test_a_folder_that_is_known_whole_is_not_read_again_until_it_changes() -> None:
    folder = make(Path("runs").absolute(), "bot", "b").parent
    rested(folder)
    assert states() == {"b": "SUCCEEDED"}
    assert list(registry.marks()) == [str(folder)]
    kept = folder.stat()
    make(Path("runs").absolute(), "bot", "c", "FAILED")
    os.utime(folder, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    assert states() == {"b": "SUCCEEDED"}  # not looked at: the folder says that nothing came
    os.utime(folder)
    assert states() == {"b": "SUCCEEDED", "c": "FAILED"}


def test_a_folder_that_changed_just_now_is_read_again() -> None:
    folder = make(Path("runs").absolute(), "bot", "b").parent
    assert states() == {"b": "SUCCEEDED"}
    assert registry.marks() == {}
    rested(folder)
    (folder / "notes.txt").touch()
    (folder / "half").mkdir()
    rested(folder)
    assert states() == {"b": "SUCCEEDED"}
    assert registry.marks() == {}  # what will become of `half` does not change the folder


def test_a_folder_of_runs_that_comes_back_as_it_was_is_found() -> None:
    folder = make(Path("runs").absolute(), "bot", "b").parent
    rested(folder)
    assert states() == {"b": "SUCCEEDED"}
    folder.rename(folder.parent.parent / "away")
    assert states() == {}
    (folder.parent.parent / "away").rename(folder)
    assert states() == {"b": "SUCCEEDED"}


def test_the_newest_are_found_behind_many_that_are_gone() -> None:
    root = Path("runs").absolute()
    folders = [make(root, "bot", f"r{number:02}", created=float(number)) for number in range(30)]
    assert len(listed()) == 30
    for folder in folders[3:]:
        shutil.rmtree(folder)
    assert [run.id for run in listed(last=2)] == ["r01", "r02"]
    assert live() == []
    assert registry.directories() == {str(folder) for folder in folders[:3]}


def test_ps_forgets_what_is_gone_and_keeps_what_has_ended() -> None:
    root = Path("runs").absolute()
    gone, ended = make(root, "bot", "gone", None), make(root, "bot", "ended", None)
    assert live() == []
    shutil.rmtree(gone)
    end(ended, "FAILED")
    assert live() == []
    assert [(row[0], row[5]) for row in registry.newest_first()] == [(str(ended), "FAILED")]
