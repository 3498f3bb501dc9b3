"""Every run of this machine and its state, by the index where it is right and by the directories where not.

The index remembers how a run ended together with the time at which its exit.json was changed; where that
still holds, nothing of the run is read. So ten thousand runs are listed as quickly as ten.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ftctl import registry
from ftctl.registry import Row, RunEntry
from ftctl.run.directory import CREATOR, EXIT
from ftctl.run.roots import roots, tell_root
from ftctl.run.state import ENDED, LIVE, RunState, standing, state_of


@dataclass
class Found:
    """What a look at the directories brought that the index does not have yet."""

    endings: list[tuple[int, str, str, str]] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)

    def keep(self) -> None:
        """Bring the index up to date."""
        if self.endings:
            registry.add_endings(self.endings)
        if self.gone:
            registry.forget_runs(self.gone)


def enter(run: Path, name: str, created: float) -> None:
    """Note a run that was just made: in the index, and its folder among those that it is made from."""
    tell_root(run.parent.parent)
    registry.add_run(run, name, run.name, created)


def listed(name: str | None = None, states: Collection[str] = (), last: int | None = None) -> list[RunState]:
    """The runs of one job (None: all) in one of `states` (empty: any), oldest first; the newest `last`."""
    return [RunState(**json.loads(record)) for record in records(name, states, last)]


def records(name: str | None = None, states: Collection[str] = (), last: int | None = None) -> list[str]:
    """What `listed` gives, each run as JSON, so that thousands need not be read and written again."""
    found, kept = Found(), list[str]()
    for directory, job, _, _, seal, state, record in reversed(rows_of_all()):
        if name is not None and job != name:
            continue
        changed = _changed(directory)
        if changed is None or changed != seal:
            state, record = _look(directory, changed, found)  # noqa: PLW2901 - what the row had is void
        if record and (not states or state in states):
            kept.append(record)
            if len(kept) == last:
                break
    found.keep()
    kept.reverse()
    return kept


def live() -> list[RunState]:
    """The runs that have not ended, the oldest first."""
    runs, found = [], Found()
    for row in rows_of_all(records=False):
        changed = _changed(row[0])
        if changed is not None and changed == row[4]:
            continue
        if changed is not None:
            _look(row[0], changed, found)  # it has ended since: the next list need not read it
        if standing(Path(row[0])) in LIVE:
            runs.append(state_of(Path(row[0])))
    found.keep()
    return [run for run in runs if run.state in LIVE]


def rows_of_all(*, records: bool = True) -> list[Row]:
    """A row for every run that the index knows or that a folder of runs holds, the oldest first.

    What a killed `ftctl train` left half made is there too. Whether a directory is still there is not
    looked at.
    """
    rows = registry.index(records=records)
    known = {row[0] for row in rows}
    new = [folder for folder in _folders() if folder not in known]
    if not new:
        return rows
    entries = [entry for folder in new if (entry := registry.entry_of(Path(folder))) is not None]
    if entries:
        for root in {entry.directory.parent.parent for entry in entries}:
            tell_root(root)
        registry.add_runs(entries)
        rows = registry.index(records=records)
        known = {row[0] for row in rows}
    return sorted(
        rows + [row for folder in new if folder not in known for row in _unknown(folder)], key=registry.AGE
    )


def _folders() -> Iterator[str]:
    for root in roots():
        yield from registry.folders_under(str(root))


def _unknown(folder: str) -> list[Row]:
    """A run that is not in the index: it is half made, or there is no database that could hold it."""
    path = Path(folder)
    entry = registry.entry_of(path)
    if entry is None:
        if not (path / CREATOR).is_file():
            return []
        entry = RunEntry(path, path.parent.name, path.name, state_of(path).created)
    return [(folder, entry.name, entry.id, entry.created, None, None, None)]


def _look(directory: str, changed: int | None, found: Found) -> tuple[str, str]:
    """The state and record of a run as its directory tells them now; empty where that is gone.

    `changed` is what `_changed` said just before.
    """
    if changed is None and not os.path.isdir(directory):  # noqa: PTH112 - no path is made for each of thousands
        found.gone.append(directory)
        return "", ""
    run = state_of(Path(directory))
    record = json.dumps(run._asdict(), ensure_ascii=False, separators=(",", ":"))
    # What was read a moment ago may be older than what stands there now: only the same is sealed.
    if changed is not None and run.state in ENDED and changed == _changed(directory):
        found.endings.append((changed, run.state, record, directory))
    return run.state, record


def _changed(directory: str) -> int | None:
    """When the record of a run's end was written, in ns; None where there is none."""
    try:
        return os.stat(f"{directory}/{EXIT}").st_mtime_ns  # noqa: PTH116 - as above
    except OSError:
        return None
