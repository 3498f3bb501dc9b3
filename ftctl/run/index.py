"""Every run of this machine and its state, by the index where it is right and by the directories where not.

The index remembers how a run ended together with the time at which its exit.json was changed; where that
still holds, nothing of the run is read. So ten thousand runs are listed as quickly as ten.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

from ftctl import registry
from ftctl.registry import RunEntry
from ftctl.run.directory import CREATOR, EXIT
from ftctl.run.roots import roots, tell_root
from ftctl.run.state import ENDED, LIVE, RunState, state_of

Row = tuple[Any, ...]  # the fields of a RunState, as far as they are known, and the seal of its end


def enter(run: Path, name: str, created: float) -> None:
    """Note a run that was just made: in the index, and its folder among those that it is made from."""
    tell_root(run.parent.parent)
    registry.add_run(run, name, run.name, created)


def listed(name: str | None = None, states: Collection[str] = ()) -> list[RunState]:
    """The runs of one job (None: all) in one of `states` (empty: any), the oldest first."""
    rows = [row for row in rows_of_all() if name in (None, row[1])]
    sealed: list[RunState] = []
    found = [run for row in rows if (run := _seen(row, sealed.append)) is not None]
    if sealed:
        registry.add_endings(ending for run in sealed if (ending := _ending(run)) is not None)
    return [run for run in found if run.state in states] if states else found


def live() -> list[RunState]:
    """The runs that have not ended, the oldest first."""
    return listed(states=LIVE)


def rows_of_all() -> list[Row]:
    """A row for every run that the index knows or that a folder of runs holds, the oldest first.

    What a killed `ftctl train` left half made is there too. Whether a directory is still there is not
    looked at.
    """
    rows = registry.index()
    known = {row[3] for row in rows}
    new = [folder for folder in _folders() if folder not in known]
    if not new:
        return rows
    entries = [entry for folder in new if (entry := registry.entry_of(Path(folder))) is not None]
    if entries:
        for root in {entry.directory.parent.parent for entry in entries}:
            tell_root(root)
        registry.add_runs(entries)
        rows = registry.index()
        known = {row[3] for row in rows}
    return sorted(rows + [row for folder in new if folder not in known for row in _unknown(folder)], key=_age)


def _folders() -> Iterator[str]:
    for root in roots():
        yield from registry.folders_under(str(root))


def _unknown(folder: str) -> list[Row]:
    """A run that is not in the index: it is half made, or there is no database that could hold it."""
    entry = registry.entry_of(Path(folder))
    if entry is not None:
        return [_row(entry)]
    path = Path(folder)
    if not (path / CREATOR).is_file():
        return []
    return [_row(RunEntry(path, path.parent.name, path.name, state_of(path).created))]


def _row(entry: RunEntry) -> Row:
    return (entry.id, entry.name, None, str(entry.directory), entry.created, *[None] * 7)


def _age(row: Row) -> tuple[float, str]:
    return row[4], row[0]


def _seen(row: Row, seal: Callable[[RunState], None]) -> RunState | None:
    """The run of a row as it is now; None where its directory is gone. An end that is new goes to `seal`."""
    changed = _changed(row[3])
    if changed is not None and changed == row[11]:
        return RunState._make(row[:11])
    if changed is None and not os.path.isdir(row[3]):  # noqa: PTH112 - no path is made for each of thousands
        return None
    run = state_of(Path(row[3]))
    if changed is not None and run.state in ENDED:
        seal(run)
    return run


def _changed(directory: str) -> int | None:
    """When the record of a run's end was written, in ns; None where there is none."""
    try:
        return os.stat(f"{directory}/{EXIT}").st_mtime_ns  # noqa: PTH116 - as above
    except OSError:
        return None


def _ending(run: RunState) -> tuple[Any, ...] | None:
    """The row of an end. What was read a moment ago may be older than what is there now: then none."""
    changed = _changed(run.directory)
    if changed is None or state_of(Path(run.directory)) != run:
        return None
    figures = (run.ended, run.step, run.total_steps, run.loss, run.exit_code, run.message)
    return (run.directory, changed, run.state, *figures)
