"""What a deployment's keeper says of its work, and whether there is a keeper."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ftctl.process import NOBODY, ProcessId
from ftctl.record import from_record, to_record

KEPT, LOCK = "kept.json", "keeper.lock"


@dataclass(frozen=True)
class Kept:
    """What the keeper knows: itself, who stands by to follow it, and the server as it is now.

    `state` is starting, answering (for the first time: who deployed it has yet to compare it), running,
    unhealthy, restarting or ended. `failures` are their times in seconds since the epoch, `restarts` their
    number in all; `logged` is where the server's part of its log begins, in bytes, and `began` when it was
    started, in seconds since the epoch.
    """

    keeper: ProcessId
    standby: ProcessId = NOBODY
    process: ProcessId = NOBODY
    state: str = "starting"
    detail: str = ""
    failures: tuple[float, ...] = ()
    restarts: int = 0
    logged: int = 0
    began: float = 0.0


def kept_of(folder: Path) -> Kept | None:
    """What the keeper of the deployment in `folder` last said; None where there never was one."""
    try:
        return from_record(Kept, json.loads((folder / KEPT).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def write_kept(folder: Path, kept: Kept) -> None:
    """Record it, whole or not at all. Only who holds the lock does."""
    temporary = folder / f".{KEPT}.{os.getpid()}"
    temporary.write_text(json.dumps({"format": 1, **to_record(kept)}, indent=1) + "\n")
    temporary.replace(folder / KEPT)


def is_kept(folder: Path) -> bool:
    """Whether a process keeps the deployment now, or is about to."""
    try:
        with open(folder / LOCK) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


@contextmanager
def keeping(folder: Path) -> Iterator[bool]:
    """Be the one keeper of `folder`, after whoever is now; false where another deployment has come into it.

    The lock is not handed on to processes that are started, and the kernel drops it with this one.
    """
    with open(folder / LOCK, "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            same = os.fstat(file.fileno()).st_ino == (folder / LOCK).stat().st_ino
        except FileNotFoundError:
            same = False
        yield same
