"""How far the mining of negatives is: a bar on a terminal's standard error, else a line for each stage."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING

from ftctl.view.output import say

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

WORDS = {"loading": "loading the model", "passages": "embedding passages", "queries": "embedding queries"}


class MiningProgress:
    """Call it with a stage, the texts done and the texts in all; it is a context that wipes its bar."""

    def __init__(self) -> None:
        self._bar: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._last = ""

    def __enter__(self) -> MiningProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, stage: str, done: int, total: int) -> None:
        words = WORDS.get(stage, stage)
        if not sys.stderr.isatty():
            if stage != self._last:
                say(f"{words}{f' ({total:,})' if total else ''}")
            self._last = stage
            return
        if self._bar is None:
            self._bar = _started()
        if stage not in self._tasks:
            self._tasks[stage] = self._bar.add_task(words, total=total or None)
        self._bar.update(self._tasks[stage], completed=done)


def _started() -> Progress:
    from rich.console import Console
    from rich.progress import Progress

    bar = Progress(console=Console(stderr=True), transient=True)
    bar.start()
    return bar
