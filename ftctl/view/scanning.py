"""How far the reading of a long file is: a bar on a terminal's standard error, after the first second."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

PATIENCE = 1.0  # seconds without a bar; rich is imported only after them


class Scanning:
    """Call it with a file, the bytes read and the bytes in all; it is a context that wipes its bar."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._bar: Progress | None = None
        self._tasks: dict[Path, TaskID] = {}

    def __enter__(self) -> Scanning:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, path: Path, done: int, total: int) -> None:
        if self._bar is None:
            if time.monotonic() - self._began < PATIENCE or not sys.stderr.isatty():
                return
            self._bar = bar_of_bytes()
        if path not in self._tasks:
            self._tasks[path] = self._bar.add_task(f"reading {path.name}", total=total)
        self._bar.update(self._tasks[path], completed=done)


def bar_of_bytes() -> Progress:
    """A bar that counts bytes, on standard error; it has begun, and is wiped when it stops."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
    )
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    bar.start()
    return bar
