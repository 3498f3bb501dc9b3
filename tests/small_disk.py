"""A small file system for tests, and how it is filled: for root only."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def mounted(folder: Path, size: str) -> Iterator[Path]:
    """A tmpfs of `size` (as mount(8) writes it) in `folder`; skips the test where it cannot be mounted."""
    folder.mkdir()
    argv = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if subprocess.run(argv, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small file system can be mounted by root only")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path, left: int) -> Path:
    """Fill the file system of `folder` but for `left` bytes; the file that does it."""
    room = os.statvfs(folder)
    file = folder / "filled"
    with open(file, "wb") as opened:
        os.posix_fallocate(opened.fileno(), 0, room.f_bavail * room.f_frsize - left)
    return file
