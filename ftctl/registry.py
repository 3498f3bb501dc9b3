"""The index of runs and deployments: a small SQLite database that can always be made again.

The run directories and the deployments' folders are the truth. A database that is corrupt, from
another version or lost is put aside and begun anew, one that cannot be written is done without; so
nothing here ever fails a training.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeVar

from ftctl import paths

VERSION = 2  # a database of an earlier one is brought up to it: tables only ever grow
BUSY_TIMEOUT = 5.0  # seconds that a writer waits for another
TABLES = """
CREATE TABLE IF NOT EXISTS runs(
  directory TEXT PRIMARY KEY, name TEXT NOT NULL, id TEXT NOT NULL, created REAL NOT NULL);
CREATE TABLE IF NOT EXISTS deployments(
  name TEXT PRIMARY KEY, folder TEXT NOT NULL, created REAL NOT NULL);
"""
# How a run ended: `record` is its whole RunState as JSON, `seal` the time of the exit.json that it was read
# from. They were added in version 2.
ENDINGS = (("seal", "INTEGER"), ("state", "TEXT"), ("record", "TEXT"))

RUNS = "SELECT directory, name, id, created FROM runs ORDER BY created, id"

Result = TypeVar("Result")
Row = tuple[Any, ...]
AGE = itemgetter(3, 2)  # created, id


@dataclass(frozen=True)
class RunEntry:
    """One run: where its directory is. `created` is in seconds since the epoch."""

    directory: Path
    name: str
    id: str
    created: float


@dataclass(frozen=True)
class DeploymentEntry:
    """One deployment: its folder under the state directory. `created` is in seconds since the epoch."""

    name: str
    folder: Path
    created: float


def database() -> Path:
    """Where the index is kept."""
    return paths.state_dir() / "registry.sqlite3"


def add_run(
    directory: Path, name: str, id: str, created: float, *, busy_timeout: float = BUSY_TIMEOUT
) -> None:
    """Remember a run; one that is known is replaced.

    A database that stays locked for `busy_timeout` seconds is left as it is.
    """
    add_runs([RunEntry(directory.absolute(), name, id, created)], busy_timeout=busy_timeout)


def add_runs(entries: Iterable[RunEntry], *, busy_timeout: float = BUSY_TIMEOUT) -> None:
    """Remember many runs at once, as `add_run` does one."""
    rows = [(str(entry.directory), entry.name, entry.id, entry.created) for entry in entries]
    _write(
        "INSERT OR REPLACE INTO runs(directory, name, id, created) VALUES (?, ?, ?, ?)", rows, busy_timeout
    )


def forget_run(directory: Path) -> None:
    """Forget a run; the directory is left alone."""
    forget_runs([str(directory.absolute())])


def forget_runs(directories: Iterable[str]) -> None:
    """Forget many runs at once, as `forget_run` does one."""
    _write("DELETE FROM runs WHERE directory = ?", [(directory,) for directory in directories])


def index(*, records: bool = True) -> list[Row]:
    """A row for every known run, oldest first: directory, name, id, created, seal, state, record.

    The last three are None of a run with no known end; the record is None as well without `records`. A seal
    that differs from the time of the run's exit.json voids its end. Whether a directory is still there is
    not looked at.
    """
    columns = f"directory, name, id, created, seal, state, {'record' if records else 'NULL'}"
    select = f"SELECT {columns} FROM runs"  # noqa: S608 - made of our own words
    rows: list[Row] = _with_database(lambda open_: open_.execute(select).fetchall()) or []
    rows.sort(key=AGE)  # SQLite takes thrice the time: they are nearly in order
    return rows


def add_endings(rows: Iterable[tuple[int, str, str, str]]) -> None:
    """Remember how runs ended: seal, state, record, and the directory of each."""
    _write("UPDATE runs SET seal = ?, state = ?, record = ? WHERE directory = ?", rows)


def runs(name: str | None = None) -> list[RunEntry]:
    """The known runs whose directory is still there, oldest first; `name` keeps those of one job."""
    rows = _with_database(lambda open_: open_.execute(RUNS).fetchall())
    entries = [RunEntry(Path(row[0]), row[1], row[2], row[3]) for row in rows or ()]
    return [entry for entry in entries if entry.directory.is_dir() and name in (None, entry.name)]


def add_deployment(name: str, folder: Path, created: float) -> None:
    """Remember a deployment; one of the same name is replaced."""
    _write("INSERT OR REPLACE INTO deployments VALUES (?, ?, ?)", [(name, str(folder.absolute()), created)])


def forget_deployment(name: str) -> None:
    """Forget a deployment; its folder is left alone."""
    _write("DELETE FROM deployments WHERE name = ?", [(name,)])


def deployments() -> list[DeploymentEntry]:
    """The known deployments whose folder is still there, oldest first."""
    rows = _with_database(
        lambda open_: open_.execute("SELECT * FROM deployments ORDER BY created, name").fetchall()
    )
    entries = [DeploymentEntry(row[0], Path(row[1]), row[2]) for row in rows or ()]
    return [entry for entry in entries if entry.folder.is_dir()]


def rebuild(roots: Iterable[Path]) -> int:
    """Add every unknown run found under `roots` (as `<root>/<name>/<id>/run.json`); returns how many."""
    known = {row[0] for row in index(records=False)}
    folders = [folder for root in roots for folder in folders_under(str(root.absolute()))]
    found = [entry for folder in folders if folder not in known and (entry := entry_of(Path(folder)))]
    if found:
        add_runs(found)
    return len(found)


def folders_under(root: str) -> Iterator[str]:
    """Every `<root>/<name>/<id>` that may be a run; hidden ones are being made or removed."""
    for name in _visible(root):
        for identity in _visible(f"{root}/{name}"):
            yield f"{root}/{name}/{identity}"


def _visible(folder: str) -> list[str]:
    try:
        return [name for name in os.listdir(folder) if not name.startswith(".")]
    except OSError:
        return []


def entry_of(folder: Path) -> RunEntry | None:
    """The run in a folder as its run.json says; None where there is none that can be read."""
    record = folder / "run.json"
    try:
        facts = json.loads(record.read_text())
        fields = facts if isinstance(facts, dict) else {}
        name, identity = str(fields.get("name", folder.parent.name)), str(fields.get("id", folder.name))
        return RunEntry(folder, name, identity, float(fields.get("created", record.stat().st_mtime)))
    except (OSError, ValueError, TypeError):
        return None


def _write(statement: str, rows: Iterable[tuple[Any, ...]], busy_timeout: float = BUSY_TIMEOUT) -> None:
    """Run a statement once for every row, all or none."""
    values = list(rows)

    def change(open_: sqlite3.Connection) -> None:
        with open_:
            open_.executemany(statement, values)

    _with_database(change, busy_timeout)


def _with_database(
    work: Callable[[sqlite3.Connection], Result], busy_timeout: float = BUSY_TIMEOUT
) -> Result | None:
    """What `work` returns; None where the database cannot be used, even when it has been begun anew."""
    for attempt in range(2):
        try:
            with contextlib.closing(_open(busy_timeout)) as connection:
                return work(connection)
        except sqlite3.OperationalError:
            return None  # locked for longer than the timeout, or a state directory that cannot be written
        except sqlite3.DatabaseError:
            if attempt == 0:
                _put_aside()
        except OSError:
            return None
    return None


def _open(busy_timeout: float) -> sqlite3.Connection:
    """An open database with its tables. Raises sqlite3.DatabaseError if the file is not one of ours."""
    file = database()
    file.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(file, timeout=busy_timeout)
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == VERSION:
            return connection
        if version > VERSION:
            raise sqlite3.DatabaseError(f"version {version}, not {VERSION}")
        _create(connection, busy_timeout)
    except BaseException:
        connection.close()
        raise
    return connection


def _create(connection: sqlite3.Connection, busy_timeout: float) -> None:
    # Changing to WAL does not wait for other processes as statements do, so the wait is here.
    deadline = time.monotonic() + busy_timeout
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        for statement in TABLES.split(";"):
            connection.execute(statement)
        there = {row[1] for row in connection.execute("PRAGMA table_info(runs)")}
        for name, kind in ENDINGS:
            if name not in there:
                connection.execute(f"ALTER TABLE runs ADD COLUMN {name} {kind}")
        connection.execute(f"PRAGMA user_version = {VERSION}")


def _put_aside() -> None:
    """Move an unusable database out of the way (kept for a look), and drop its journal."""
    file = database()
    with contextlib.suppress(FileNotFoundError):
        file.rename(file.with_name(f"{file.name}.unusable-{time.time_ns()}"))
    for journal in (f"{file.name}-wal", f"{file.name}-shm"):
        (file.parent / journal).unlink(missing_ok=True)
