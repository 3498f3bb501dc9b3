"""The index of runs: what the run directories tell, kept where it is found quickly.

It can be deleted at any moment and is made again (`ftctl/run/index.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from operator import itemgetter
from pathlib import Path

from ftctl.database import BUSY_TIMEOUT, change, select

# directory, name, id, created (seconds since the epoch), seal, state, record. How a run ended: `record` is
# its whole RunState as JSON, `seal` the time of the exit.json that it was read from. These three are None of
# a run with no known end.
Row = tuple[str, str, str, float, int | None, str | None, str | None]
AGE = itemgetter(3, 2, 0)  # created, id, directory

COLUMNS = "directory, name, id, created, seal, state, record"
KEEP = f"INSERT OR REPLACE INTO runs({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - made of our own words
ALL = f"SELECT {COLUMNS} FROM runs"  # noqa: S608 - as above
OF_JOB = f"{ALL} WHERE name = ?"
OLDER = "(created, id, directory) < (?, ?, ?) ORDER BY created DESC, id DESC, directory DESC LIMIT ?"
FITTING = """
SELECT directory, name = ?1 FROM runs
WHERE name = ?1 OR substr(id, 1, length(?1)) = ?1 OR substr(id, -length(?1)) = ?1
"""
GROWTH = 8  # times as many rows in each page as in the one before


def add_run(
    directory: Path, name: str, id: str, created: float, *, busy_timeout: float = BUSY_TIMEOUT
) -> None:
    """Remember a run, with no end; one that is known is replaced. `created` is in seconds since the epoch."""
    keep([(str(directory.absolute()), name, id, created, None, None, None)], busy_timeout=busy_timeout)


def keep(rows: Iterable[Row], *, busy_timeout: float = BUSY_TIMEOUT) -> bool:
    """Remember many runs at once, each row whole; whether that was done."""
    return change((KEEP, rows), busy_timeout=busy_timeout)


def forget(directories: Iterable[str]) -> None:
    """Forget runs; the directories are left alone. Their folders are looked through again next time: a run
    may come back by ways that leave no mark on them."""
    gone = [(directory,) for directory in directories]
    folders = {(directory.rpartition("/")[0],) for (directory,) in gone}
    change(("DELETE FROM runs WHERE directory = ?", gone), ("DELETE FROM folders WHERE folder = ?", folders))


def directories() -> set[str]:
    """The directory of every known run. Whether it is still there is not looked at, here and below."""
    return {directory for (directory,) in select("SELECT directory FROM runs")}


def seals() -> list[tuple[str, int | None]]:
    """The directory and the seal of every known run."""
    return select("SELECT directory, seal FROM runs")


def newest_first(name: str | None = None, page: int | None = None) -> Iterator[Row]:
    """The known runs, of one job or of all (None), the newest first.

    With a `page` that many are read to begin with, and more as they are asked for.
    """
    if page is None:
        rows = select(ALL) if name is None else select(OF_JOB, name)
        rows.sort(key=AGE, reverse=True)  # SQLite takes thrice the time: they are nearly in order
        yield from rows
        return
    last: tuple[float, str, str] = (float("inf"), "", "")
    statement = f"{ALL} WHERE {OLDER}" if name is None else f"{OF_JOB} AND {OLDER}"
    while rows := select(statement, *(() if name is None else (name,)), *last, page):
        yield from rows
        last, page = AGE(rows[-1]), page * GROWTH


def fitting(text: str) -> list[tuple[str, bool]]:
    """The known runs of the job called `text`, and those whose id begins or ends so.

    Each is its directory, and whether it is of that job.
    """
    return [(directory, bool(of_job)) for directory, of_job in select(FITTING, text)]


def marks() -> Mapping[str, str]:
    """The folders all of whose runs are known, and how each was marked then."""
    return dict(select("SELECT folder, mark FROM folders"))


def keep_marks(marked: Mapping[str, str]) -> None:
    """Note folders all of whose runs are known."""
    change(("INSERT OR REPLACE INTO folders VALUES (?, ?)", marked.items()))
