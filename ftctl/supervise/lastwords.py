"""The last words of an engine: the lines of its log that say what went wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

WINDOW = 64 * 1024  # bytes of the log's end that are looked at
# The line that ends a Python traceback: an exception's name, dotted or not, and what it says.
RAISED = re.compile(r"^(?:\[rank\d+\]: ?)?[A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt|Warning)?: ")
NAMED = re.compile(r"(?:Error|Exception|Killed|Segmentation fault|No space left)")


def last_words(log: Path, most: int = 6, since: int = 0) -> list[str]:
    """The most telling lines at the end of `log`, at most `most`, each cut to 300 characters; what stands
    before the byte `since` is of another command."""
    return [line[:300] for line in telling(log_end(log, since), most)]


def log_end(log: Path, since: int = 0) -> list[str]:
    """The lines at the end of `log`, as many as the window holds, none from before the byte `since`."""
    try:
        with open(log, "rb") as file:
            file.seek(0, 2)
            file.seek(max(since, file.tell() - WINDOW))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return []
    return text.replace("\r", "\n").splitlines()


def telling(lines: Sequence[str], most: int) -> list[str]:
    """From the last line that names an error to the end, without blank lines; else the last lines."""
    filled = [line.rstrip() for line in lines if line.strip()]
    raised = [number for number, line in enumerate(filled) if RAISED.match(line) and NAMED.search(line)]
    if not raised:
        return filled[-most:]
    return filled[raised[-1] :][:most]
