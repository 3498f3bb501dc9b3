"""The SQLite file behind the index: opened, brought up to date, and begun anew where it cannot be used.

Nothing is in it that the run directories do not tell. One that is corrupt or of a later version is put aside,
one that cannot be written is done without; so nothing here ever fails a training.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from ftctl import paths

VERSION = 3  # a database of an earlier one is brought up to it: it only ever grows
BUSY_TIMEOUT = 5.0  # seconds that a writer waits for another
TABLES = """
CREATE TABLE IF NOT EXISTS runs(
  directory TEXT PRIMARY KEY, name TEXT NOT NULL, id TEXT NOT NULL, created REAL NOT NULL);
CREATE TABLE IF NOT EXISTS folders(folder TEXT PRIMARY KEY, mark TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS runs_by_age ON runs(created, id, directory);
CREATE INDEX IF NOT EXISTS runs_of_job ON runs(name, created, id, directory);
"""
# Columns that version 2 added to `runs`.
ENDINGS = (("seal", "INTEGER"), ("state", "TEXT"), ("record", "TEXT"))

Result = TypeVar("Result")
Change = tuple[str, Iterable[tuple[Any, ...]]]


def database() -> Path:
    """Where the index is kept."""
    return paths.state_dir() / "registry.sqlite3"


def change(*changes: Change, busy_timeout: float = BUSY_TIMEOUT) -> bool:
    """Run each statement once for every one of its rows, all or none; whether that was done.

    A database that stays locked for `busy_timeout` seconds is left as it is.
    """
    fixed = [(statement, list(rows)) for statement, rows in changes]

    def work(connection: sqlite3.Connection) -> bool:
        with connection:
            for statement, rows in fixed:
                connection.executemany(statement, rows)
        return True

    return bool(use(work, busy_timeout))


def select(statement: str, *values: object) -> list[Any]:
    """The rows that a statement gives; none where the database cannot be used."""
    return use(lambda connection: connection.execute(statement, values).fetchall()) or []


def use(work: Callable[[sqlite3.Connection], Result], busy_timeout: float = BUSY_TIMEOUT) -> Result | None:
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
        connection.execute("PRAGMA synchronous = NORMAL")  # what a power cut takes is made again
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
