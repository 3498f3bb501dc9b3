"""Reads what a stranger put into a folder: regular files of bounded size and content, none from elsewhere.

A folder that was downloaded or unpacked may hold anything under the names that an engine reads: pipes that
never end, files with a size of terabytes, links to the user's own files, JSON that unfolds in memory.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MAX_TEXT = 100_000_000  # bytes; the largest tokenizers and indexes have a third of it
MAX_TEMPLATE = 1_000_000  # bytes; the longest chat templates have a fiftieth of it
MAX_VALUES = 5_000_000  # of one JSON text; the largest tokenizers have two million
MAX_DIGITS = 40  # of a whole number; transformers writes "no limit" with 31
WEIGHTS = ".safetensors"
# What an engine reads whole into memory, by the ends of their names.
TEXTS = (".json", ".jinja", ".txt", ".model", ".tiktoken", ".py")


def read_bytes(path: Path, most: int = MAX_TEXT) -> bytes:
    """The bytes of a regular file, `most` of them. Raises OSError where it cannot be read, ValueError for
    what is no regular file or larger."""
    # A pipe would be waited for without O_NONBLOCK, and a terminal taken without O_NOCTTY.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with open(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise ValueError("no regular file")
        found = b"" if os.fstat(handle).st_size > most else file.read(most + 1)
        if os.fstat(handle).st_size > most or len(found) > most:
            raise ValueError("too large to be what its name says")
    return found


def read_text(path: Path, most: int = MAX_TEXT) -> str:
    """The text of a regular file. Raises as `read_bytes`, and ValueError where it is not UTF-8."""
    return read_bytes(path, most).decode("utf-8")


def parse(text: bytes) -> Any:
    """The value of a JSON text, within bounds. Raises ValueError for any other.

    What it takes in memory follows from the number of its values, which is counted before they are made.
    """
    if sum(map(text.count, (b"[", b"{", b","))) > MAX_VALUES:
        raise ValueError(f"more than {MAX_VALUES:,} values")
    try:
        return json.loads(text, parse_int=_integer)
    except RecursionError:
        raise ValueError("nested too deep") from None


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


def strange(folder: Path, anywhere: tuple[str, ...] = (WEIGHTS,)) -> Iterator[str]:
    """What is in a folder that no model or adapter needs and that a reader of it would come to harm by.

    Links of the Hub's cache go to the blobs beside the snapshots. Those of names that end as `anywhere` says
    may go where they like: what does not read as weights is refused as such. Raises OSError.
    """
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            path, free = Path(entry.path), not entry.is_symlink() or entry.name.endswith(anywhere)
            if said := _strange(path, free=free):
                yield f"{entry.name} {said}"


def _strange(path: Path, *, free: bool) -> str:
    try:
        found = path.stat()
    except OSError:  # of a link that leads nowhere, or round and round
        return "is a link that leads to no file"
    is_dir = stat.S_ISDIR(found.st_mode)
    if not is_dir and not stat.S_ISREG(found.st_mode):
        return "is no regular file"
    if not free and not _inside(path):
        return f"is a link out of the folder, to {path.resolve()}"
    most = MAX_TEMPLATE if path.name.endswith(".jinja") else MAX_TEXT
    if path.name.endswith(TEXTS) and not is_dir and found.st_size > most:
        return "is too large to be what its name says"
    return ""


def _inside(path: Path) -> bool:
    folder, goal = path.parent.resolve(), path.resolve()
    blobs = (folder.parent.parent / "blobs").resolve()  # it may be a link itself, to a larger disk
    cached = folder.parent.name == "snapshots" and goal.is_relative_to(blobs)
    return cached or goal.is_relative_to(folder)
