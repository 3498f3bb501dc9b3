"""A control group with little memory, so that the kernel's memory killer strikes for real."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ftctl.supervise.memory_killer import GROUPS
from tests.waiting import until

JOIN = 'echo $$ > "$0" && exec "$@"'  # by sh: what is executed is in the group of the file $0


@contextmanager
def little_memory(limit: int) -> Iterator[Path]:
    """The file by which a process joins a group of `limit` bytes; skips where none can be made.

    The group is removed at the end, once nobody is in it.
    """
    folder = GROUPS / "memory" / f"ftctl-test-{os.getpid()}"
    try:
        folder.mkdir()
        (folder / "memory.limit_in_bytes").write_text(str(limit))
    except OSError as error:
        pytest.skip(f"no control group for memory can be made here: {error.strerror}")
    try:
        yield folder / "cgroup.procs"
    finally:
        until(lambda: not (folder / "cgroup.procs").read_text().split())
        folder.rmdir()
