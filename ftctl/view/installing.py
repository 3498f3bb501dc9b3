"""An engine's installation as it is shown: a bar on a terminal, plain lines otherwise."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ftctl.view.output import say

if TYPE_CHECKING:
    from ftctl.engines.build import Step
    from ftctl.facts.model import EngineFacts


def ready_engine(name: str, variant: str, *, install: bool) -> EngineFacts:
    """The engine's interpreter, installed with a bar if it is missing and that is wanted.

    Raises Missing where it is missing and not wanted, FtctlError where the build fails.
    """
    from ftctl.engines.install import ensure
    from ftctl.engines.locate import locate

    found = locate(name, variant, python=None, environ=os.environ)
    if found.installed:
        return found
    with installing() as (report, watch):
        return ensure(name, variant, install=install, report=report, watch=watch)


@contextmanager
def installing() -> Iterator[tuple[Callable[[str], None], Callable[[Step], None]]]:
    """The `report` and `watch` to give to `engines.install.ensure`, shown on standard error."""
    if not sys.stderr.isatty():
        yield say, _Phases()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )
    with bar:
        task = bar.add_task("", total=None, visible=False)

        def watch(step: Step) -> None:
            total = step.total if step.done else None  # nothing is in place yet: the bar only moves
            text = step.text[:50].replace("[", "\\[")
            bar.update(task, description=text, completed=step.done, total=total, visible=True)

        yield console.print, watch


class _Phases:
    """Says a line when the build goes on to something else, not at every look."""

    def __init__(self) -> None:
        self.last = ""

    def __call__(self, step: Step) -> None:
        if step.text != self.last:
            self.last = step.text
            say(f"  {step.done}/{step.total}  {step.text}")
