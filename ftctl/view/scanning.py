"""How far the reading of a long file is: a bar on a terminal's standard error, after the first second."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ftctl.view.bar import wiped

if TYPE_CHECKING:
    from rich.progress import TaskID

PATIENCE = 1.0  # seconds without a bar; rich is imported only after them


@contextmanager
def scanning() -> Iterator[Callable[[Path, int, int], None]]:
    """Call what it gives with a file, the bytes read and the bytes in all."""
    began, tasks = time.monotonic(), dict[Path, "TaskID"]()
    with wiped() as bar:

        def watch(path: Path, done: int, total: int) -> None:
            late = time.monotonic() - began >= PATIENCE and sys.stderr.isatty()
            if bar.drawn is None and not late:
                return
            drawn = bar.of_bytes()
            if path not in tasks:
                tasks[path] = drawn.add_task(f"reading {path.name}", total=total)
            drawn.update(tasks[path], completed=done)

        yield watch
