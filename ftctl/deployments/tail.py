"""Read the end of a log, and follow it while it grows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

CHUNK = 64 * 1024  # bytes
POLL = 0.1  # seconds


def last_lines(path: Path, count: int) -> tuple[str, int]:
    """The last `count` lines of a file and the offset in bytes where they end."""
    with open(path, "rb") as file:
        end = position = file.seek(0, 2)
        data = b""
        while position > 0 and data.count(b"\n") <= count:
            step = min(CHUNK, position)
            position -= step
            file.seek(position)
            data = file.read(step) + data
    lines = data.splitlines(keepends=True)
    return b"".join(lines[max(0, len(lines) - count) :]).decode("utf-8", "replace"), end


def follow(path: Path, offset: int, going_on: Callable[[], bool]) -> Iterator[str]:
    """What is written after `offset`, as it comes, until `going_on` is false and all has been read."""
    with open(path, "rb") as file:
        file.seek(offset)
        while True:
            last = not going_on()
            if data := file.read(CHUNK):
                yield data.decode("utf-8", "replace")
            elif last:
                return
            else:
                time.sleep(POLL)
