"""The index of runs: right under many writers, and never in the way."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from ftctl import registry


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory of the test's own."""
    folder = tmp_path / "home"
    monkeypatch.setenv("FTCTL_HOME", str(folder))
    return folder


def run_directory(root: Path, name: str, identity: str, created: float | None = None) -> Path:
    folder = root / name / identity
    folder.mkdir(parents=True)
    record = {"name": name, "id": identity}
    (folder / "run.json").write_text(
        json.dumps(record if created is None else {**record, "created": created})
    )
    return folder


def test_a_run_is_remembered_once_and_forgotten(tmp_path: Path) -> None:
    folder = run_directory(tmp_path, "bot", "b")
    assert registry.runs() == []
    registry.add_run(folder, "bot", "b", 2.0)
    registry.add_run(folder, "bot", "b", 3.0)
    assert registry.runs() == [registry.RunEntry(folder, "bot", "b", 3.0)]
    registry.forget_run(folder)
    assert registry.runs() == []
    assert folder.is_dir()


def test_runs_come_oldest_first_and_by_name(tmp_path: Path) -> None:
    for created, (name, identity) in enumerate([("bot", "b"), ("other", "x"), ("bot", "a")]):
        registry.add_run(run_directory(tmp_path, name, identity), name, identity, -float(created))
    assert [entry.id for entry in registry.runs()] == ["a", "x", "b"]
    assert [entry.id for entry in registry.runs("bot")] == ["a", "b"]
    assert registry.runs("nobody") == []


def test_a_run_whose_directory_is_gone_is_not_listed(tmp_path: Path) -> None:
    folder = run_directory(tmp_path, "bot", "b")
    registry.add_run(folder, "bot", "b", 1.0)
    (folder / "run.json").unlink()
    folder.rmdir()
    assert registry.runs() == []


def test_deployments_are_kept_by_name(tmp_path: Path) -> None:
    first, second = tmp_path / "one", tmp_path / "two"
    first.mkdir()
    second.mkdir()
    registry.add_deployment("bot", first, 1.0)
    registry.add_deployment("bot", second, 2.0)
    assert registry.deployments() == [registry.DeploymentEntry("bot", second, 2.0)]
    registry.forget_deployment("bot")
    assert registry.deployments() == []


def test_the_index_is_made_again_from_the_run_directories(tmp_path: Path) -> None:
    kept = run_directory(tmp_path / "runs", "bot", "b", created=5.0)
    run_directory(tmp_path / "runs", "bot", "broken")
    (tmp_path / "runs/bot/broken/run.json").write_text("{")
    assert registry.rebuild([tmp_path / "runs", tmp_path / "nowhere"]) == 1
    assert registry.rebuild([tmp_path / "runs"]) == 0
    assert registry.runs() == [registry.RunEntry(kept, "bot", "b", 5.0)]


@pytest.mark.parametrize(
    "content", [b"this is no database, not at all, whatever its name says\n" * 40, b"SQLite"]
)
def test_a_corrupt_database_is_put_aside_and_begun_anew(tmp_path: Path, content: bytes) -> None:
    folder = run_directory(tmp_path, "bot", "b")
    file = registry.database()
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    registry.add_run(folder, "bot", "b", 1.0)
    assert [entry.id for entry in registry.runs()] == ["b"]
    kept = [path for path in file.parent.iterdir() if "unusable" in path.name]
    assert [path.read_bytes() for path in kept] == [content]


def test_a_database_of_another_version_is_put_aside(tmp_path: Path) -> None:
    folder = run_directory(tmp_path, "bot", "b")
    registry.add_run(folder, "bot", "b", 1.0)
    other = sqlite3.connect(registry.database())
    other.execute("PRAGMA user_version = 99")
    other.close()
    registry.add_run(folder, "bot", "b", 1.0)
    assert len(registry.runs()) == 1


def test_a_state_directory_that_cannot_be_made_stops_nothing(tmp_path: Path, home: Path) -> None:
    home.write_text("a file where the folder would be")
    registry.add_run(tmp_path, "bot", "b", 1.0)
    assert registry.runs() == []


def test_a_locked_database_stops_nothing(tmp_path: Path) -> None:
    folder = run_directory(tmp_path, "bot", "b")
    registry.add_run(folder, "bot", "b", 1.0)
    other = sqlite3.connect(registry.database(), isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    registry.add_run(folder, "bot", "again", 2.0, busy_timeout=0.1)
    other.execute("COMMIT")
    other.close()
    assert [entry.id for entry in registry.runs()] == ["b"]


WRITER = """
import sys
from pathlib import Path
from ftctl import registry
root, writer = Path(sys.argv[1]), sys.argv[2]
for number in range(25):
    registry.add_run(root, "bot", f"{writer}-{number}", 1.0)
    registry.add_run(root / f"{writer}-{number}", "bot", f"{writer}-{number}", 1.0)
"""


def test_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    for writer in range(4):
        for number in range(25):
            (tmp_path / f"{writer}-{number}").mkdir()
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), str(writer)], env=os.environ)
        for writer in range(4)
    ]
    assert [writer.wait(60) for writer in writers] == [0] * 4
    wanted = {f"{writer}-{number}" for writer in range(4) for number in range(25)}
    found = {entry.directory.name for entry in registry.runs()}
    assert wanted <= found
    assert found - wanted == {tmp_path.name}
