"""Every run of this machine and its state, by the index where it is right and by the directories where not.

The index remembers how a run ended together with the time at which its exit.json was changed; where that
still holds, nothing of the run is read. It remembers as well which folders of runs it knows all of, by the
time at which they were changed. So ten thousand runs are listed as quickly as ten.
"""

from __future__ import annotations

import heapq
import json
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

from ftctl import registry
from ftctl.registry import AGE, Row
from ftctl.run import folders
from ftctl.run.directory import CREATOR, EXIT
from ftctl.run.roots import tell_root
from ftctl.run.state import ENDED, LIVE, RunState, standing, state_of
from ftctl.view.counting import counting

BATCH = 4000  # runs that are read before the index is written: a kill loses no more than these


@dataclass
class Found:
    """What a look at the directories brought that the index does not have yet."""

    ended: list[Row] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)

    def keep(self) -> None:
        """Bring the index up to date."""
        if self.ended:
            registry.keep(self.ended)
        if self.gone:
            registry.forget(self.gone)


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
    for directory, _, _, _, seal, state, record in _newest_first(name, last):
        if seal is None or seal != _changed(directory):
            run, record = _look(directory, found)  # noqa: PLW2901 - what the row had is void
            state = run.state if run else None  # noqa: PLW2901
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
    left = [(row[0], None) for row in take_in()]
    for directory, seal in chain(registry.seals(), left):
        changed = _changed(directory)
        if changed is not None and changed == seal:
            continue
        if changed is None and os.path.isdir(directory) and standing(Path(directory)) not in LIVE:  # noqa: PTH112 - no path is made for each of thousands
            continue  # lost: how far it came is not asked for
        run, _ = _look(directory, found)  # where it has ended since, the next list need not read it
        if run is not None and run.state in LIVE:
            runs.append(run)
    found.keep()
    return sorted(runs, key=lambda run: (run.created, run.id))


def matching(text: str) -> tuple[list[Path], list[Path]]:
    """The runs of the job called `text`, and those whose id begins or ends so.

    What a killed `ftctl train` left half made is there too. Whether a directory is still there is not
    looked at.
    """
    left = [(row[0], row[1] == text) for row in take_in() if row[1] == text or _fits(row[2], text)]
    found = [(Path(directory), of_job) for directory, of_job in chain(registry.fitting(text), left)]
    return [path for path, of_job in found if of_job], [path for path, _ in found if _fits(path.name, text)]


def take_in() -> list[Row]:
    """Bring every run that the index does not know into it, and return those that it cannot hold.

    A run that is half made is one of these; without a database all are.
    """
    marked = registry.marks()
    changed = {job: mark for job in folders.jobs() if (mark := folders.mark(job)) and mark != marked.get(job)}
    if not changed:
        return []
    known = registry.directories()
    new = [folder for job in changed for folder in folders.in_job(job) if folder not in known]
    left: list[Row] = []
    read = ((folder, _whole(folder)) for folder in counting(new, "reading run"))
    while batch := dict(islice(read, BATCH)):
        rows = [row for row in batch.values() if row]
        if registry.keep(rows):
            known.update(row[0] for row in rows)
        for root in {os.path.dirname(os.path.dirname(row[0])) for row in rows}:  # noqa: PTH120 - as above
            tell_root(Path(root))
        left += [row for one, whole in batch.items() if one not in known and (row := whole or _half(one))]
    open_ = {os.path.dirname(folder) for folder in new if folder not in known}  # noqa: PTH120 - as above
    done = {job: mark for job, mark in changed.items() if job not in open_ and folders.settled(mark)}
    if done:
        registry.keep_marks(done)
    return left


def _newest_first(name: str | None, last: int | None) -> Iterator[Row]:
    """The rows to list, those of what the index cannot hold in their places."""
    left = [row for row in take_in() if name in (None, row[1])]
    rows = registry.newest_first(name, None if last is None else last + 1)
    return heapq.merge(rows, sorted(left, key=AGE, reverse=True), key=AGE, reverse=True) if left else rows


def _whole(folder: str) -> Row | None:
    return _read(folder)[1] if os.path.isfile(f"{folder}/run.json") else None  # noqa: PTH113 - as above


def _half(folder: str) -> Row | None:
    """A run that is not made whole; None where there is none at all."""
    return _read(folder)[1] if os.path.isfile(f"{folder}/{CREATOR}") else None  # noqa: PTH113 - as above


def _look(directory: str, found: Found) -> tuple[RunState, str] | tuple[None, None]:
    """A run and its record as its directory tells them now; None where that is gone."""
    if not os.path.isdir(directory):  # noqa: PTH112 - as above
        found.gone.append(directory)
        return None, None
    run, row = _read(directory)
    if row[4] is not None:
        found.ended.append(row)
    return run, row[6] or _json(run)


def _read(directory: str) -> tuple[RunState, Row]:
    """A run as its directory tells it now, and its row."""
    changed = _changed(directory)
    run = state_of(Path(directory))
    # What was read a moment ago may be older than what stands there now: only the same is sealed.
    sealed = changed is not None and run.state in ENDED and changed == _changed(directory)
    end = (changed, run.state, _json(run)) if sealed else (None, None, None)
    return run, (directory, run.name, run.id, run.created, *end)


def _json(run: RunState) -> str:
    return json.dumps(run._asdict(), ensure_ascii=False, separators=(",", ":"))


def _fits(identity: str, text: str) -> bool:
    return bool(text) and (identity.startswith(text) or identity.endswith(text))


def _changed(directory: str) -> int | None:
    """When the record of a run's end was written, in ns; None where there is none."""
    try:
        return os.stat(f"{directory}/{EXIT}").st_mtime_ns  # noqa: PTH116 - as above
    except OSError:
        return None
