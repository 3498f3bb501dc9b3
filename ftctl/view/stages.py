"""How far a work in stages is: a bar on a terminal's standard error, else a line for each stage."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ftctl.view.bar import wiped
from ftctl.view.output import say

if TYPE_CHECKING:
    from rich.progress import TaskID

MINING = {"loading": "loading the model", "passages": "embedding passages", "queries": "embedding queries"}


@contextmanager
def in_stages(words: Mapping[str, str]) -> Iterator[Callable[[str, int, int], None]]:
    """Call what it gives with a stage, how much is done and how much there is.

    `words` says what a stage is called.
    """
    tasks, last = dict[str, "TaskID"](), ""
    with wiped() as bar:

        def tell(stage: str, done: int, total: int) -> None:
            nonlocal last
            called = words.get(stage, stage)
            if not sys.stderr.isatty():
                if stage != last:
                    say(f"{called}{f' ({total:,})' if total else ''}")
                last = stage
                return
            drawn = bar.plain()
            if stage not in tasks:
                tasks[stage] = drawn.add_task(called, total=total or None)
            drawn.update(tasks[stage], completed=done)

        yield tell
