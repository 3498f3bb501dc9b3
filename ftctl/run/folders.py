"""The folders of runs, and which of them may hold a run that the index does not know."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

from ftctl.run.roots import roots

SETTLED = 2_000_000_000  # ns: the coarsest clock of a file system that runs are kept on


def jobs() -> Iterator[str]:
    """Every `<root>/<name>` that may hold runs of one job; hidden ones are none."""
    for root in roots():
        for name in _visible(str(root)):
            yield f"{root}/{name}"


def in_job(folder: str) -> Iterator[str]:
    """Every `<root>/<name>/<id>` that may be a run; hidden ones are being made or removed."""
    return (f"{folder}/{identity}" for identity in _visible(folder))


def mark(folder: str) -> str | None:
    """What changes with every entry that is made, moved or removed there; None where there is no folder."""
    try:
        seen = os.stat(folder)  # noqa: PTH116 - no path is made for each of thousands
    except OSError:
        return None
    return f"{seen.st_mtime_ns} {seen.st_ino}"


def settled(marked: str) -> bool:
    """Whether the folder has been left alone for so long that its next change must change the mark."""
    return time.time_ns() - int(marked.partition(" ")[0]) > SETTLED


def _visible(folder: str) -> list[str]:
    try:
        return [name for name in os.listdir(folder) if not name.startswith(".")]
    except OSError:
        return []
