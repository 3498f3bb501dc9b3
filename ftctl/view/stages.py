"""How far a work in stages is: a bar on a terminal's standard error, else a line for each stage."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING

from ftctl.view.output import say

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

MINING = {"loading": "loading the model", "passages": "embedding passages", "queries": "embedding queries"}


class Stages:
    """Call it with a stage, how much is done and how much there is; it is a context that wipes its bar.

    `words` says what a stage is called.
    """

    def __init__(self, words: Mapping[str, str]) -> None:
        self._words = words
        self._bar: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._last = ""

    def __enter__(self) -> Stages:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, stage: str, done: int, total: int) -> None:
        words = self._words.get(stage, stage)
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
