"""How far a long loop is, on a terminal's standard error; nothing in a pipe or a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

FIRST, PAUSE = 0.5, 0.1  # seconds before the first line, and between lines


def counting(items: Sequence[T], doing: str) -> Iterator[T]:
    """The items; on a terminal `checking 120 of 1000` is written over and over, and wiped at the end."""
    if len(items) < 2 or not sys.stderr.isatty():
        yield from items
        return
    due, width = time.monotonic() + FIRST, 0
    for number, item in enumerate(items):
        if time.monotonic() >= due:
            text = f"{doing} {number} of {len(items)}"
            due, width = time.monotonic() + PAUSE, len(text)
            sys.stderr.write(f"\r{text}")
            sys.stderr.flush()
        yield item
    if width:
        sys.stderr.write(f"\r{' ' * width}\r")
        sys.stderr.flush()
