"""One builder at a time, and nothing left of a build that was killed."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from ftctl import process

BUILDER = "builder.json"


@contextmanager
def exclusive(root: Path, name: str, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock `name` in `root`; `waiting` is called once if another process has it.

    The kernel lets go of it when its holder ends, however it ends. The file itself stays: removing it
    would let two processes hold two locks of one name.
    """
    with open(root / f".{name}.lock", "ab") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def note_builder(work: Path, leader: process.ProcessId) -> None:
    """Write down which process fills a folder, so that it can be ended if ftctl is killed first."""
    (work / BUILDER).write_text(json.dumps(asdict(leader)))


def sweep(root: Path, name: str) -> None:
    """Remove what killed builds of `name` left in `root`, ending a uv that still fills it.

    The caller holds the lock, so no living build is among them.
    """
    for work in [*root.glob(f".{name}.*.build"), *root.glob(f".{name}-*.trash")]:
        try:
            leader = process.ProcessId(**json.loads((work / BUILDER).read_text()))
        except (OSError, ValueError, TypeError):
            pass
        else:
            process.stop_session(leader, grace=2)
        throw_away(work)


def throw_away(folder: Path) -> None:
    """Remove a folder; it is renamed first, so that a kill in between leaves no half environment."""
    if not folder.exists():
        return
    trash = folder
    if not folder.name.startswith("."):
        trash = folder.with_name(f".{folder.name}.{os.getpid()}.trash")
        folder.rename(trash)
    shutil.rmtree(trash)
