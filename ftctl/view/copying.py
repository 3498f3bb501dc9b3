"""How far the copying of large files is: a bar on a terminal's standard error, else a line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ftctl.view.bar import Bar, wiped
from ftctl.view.output import say
from ftctl.view.progress import size
from ftctl.view.scanning import PATIENCE

if TYPE_CHECKING:
    from rich.progress import TaskID

PACE = 30.0  # seconds between two lines where there is no terminal


class Copying:
    """Call it with a file and the bytes read of it since.

    `total` is the count of bytes to come, as far as it is known.
    """

    def __init__(self, bar: Bar) -> None:
        self.total = 0
        self._done = 0
        self._began = self._last = time.monotonic()
        self._bar = bar
        self._task: TaskID | None = None

    def expect(self, total: int) -> None:
        """So many bytes are to come."""
        self.total, self._done = total, 0
        self._began = self._last = time.monotonic()

    def __call__(self, path: Path, count: int) -> None:
        self._done += count
        now = time.monotonic()
        if not sys.stderr.isatty():
            if now - self._last >= PACE:
                self._last = now
                say(f"copying {path.name}: {size(self._done)} of {size(self.total)}")
            return
        if self._task is None and now - self._began < PATIENCE:
            return
        drawn, what = self._bar.of_bytes(), f"copying {path.name}"
        if self._task is None:
            self._task = drawn.add_task(what, total=self.total)
        drawn.update(self._task, completed=self._done, total=self.total, description=what)


@contextmanager
def copying() -> Iterator[Copying]:
    """What is told of the copying, for as long as a block lasts."""
    with wiped() as bar:
        yield Copying(bar)
