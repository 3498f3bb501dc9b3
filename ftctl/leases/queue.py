"""The queue for GPUs: first come, first served, among those who want the same ones.

A ticket is a file whose number is its place, locked by the process that waits, so that one who died waiting
is passed over. All of this happens under the folder's lock.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ftctl.leases.folder import locked, open_shared, read_record, this_process, try_lock, write_record
from ftctl.leases.model import Holder

TICKET = ".ticket"


@dataclass(frozen=True)
class Ticket:
    """A place in the queue, held by the open `file`."""

    path: Path
    file: int

    def give_back(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()
        os.close(self.file)


@dataclass(frozen=True)
class Waiting:
    """Somebody in the queue, and the files of the GPUs that may be theirs."""

    who: Holder
    gpus: tuple[str, ...]


def draw(folder: Path, what: str, gpus: Iterable[str]) -> Ticket:
    """Take the next place for somebody who waits for any of these GPUs (the names of their files)."""
    numbers = [int(path.stem) for path in folder.glob(f"*{TICKET}") if path.stem.isdigit()]
    path = folder / f"{max(numbers, default=0) + 1:012d}{TICKET}"
    file = open_shared(path)
    if not try_lock(file):
        raise RuntimeError(f"{path} is locked, though its number is new")
    write_record(file, Waiting(this_process(-1, what), tuple(gpus)))
    return Ticket(path, file)


def before(folder: Path, mine: Ticket | None) -> list[Waiting]:
    """Those who came before `mine`, or everyone where one has no ticket; the dead are put away."""
    found = []
    for path in sorted(folder.glob(f"*{TICKET}")):
        if mine is not None and path == mine.path:
            break
        waiting = _look(path)
        if waiting is not None:
            found.append(waiting)
    return found


def queue(folder: Path) -> list[Waiting]:
    """Everyone who waits, in order. Makes nothing where nobody ever did."""
    if not (folder / "lock").exists():
        return []
    with locked(folder):
        return before(folder, None)


def _look(path: Path) -> Waiting | None:
    try:
        file = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        if not try_lock(file):
            return read_record(Waiting, file)
        with contextlib.suppress(OSError):  # another user's, in a folder where only the owner removes
            path.unlink()
        return None
    finally:
        os.close(file)
