"""How far the copying of large files is: a bar on a terminal's standard error, else a line now and then."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from ftctl.view.output import say
from ftctl.view.progress import size
from ftctl.view.scanning import PATIENCE, bar_of_bytes

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

PACE = 30.0  # seconds between two lines where there is no terminal


class Copying:
    """Call it with a file and the bytes read of it since; it is a context that wipes its bar.

    `total` is the count of bytes to come, as far as it is known.
    """

    def __init__(self) -> None:
        self.total = 0
        self._done = 0
        self._began = self._last = time.monotonic()
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Copying:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

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
        if self._bar is None:
            if now - self._began < PATIENCE:
                return
            self._bar = bar_of_bytes()
            self._task = self._bar.add_task("", total=self.total)
        assert self._task is not None
        self._bar.update(
            self._task, completed=self._done, total=self.total, description=f"copying {path.name}"
        )
