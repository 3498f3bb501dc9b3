"""A bar on a terminal's standard error that is wiped at the end of a block, whatever ends it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress


class Bar:
    """Holds what is drawn, once something is: rich is imported only then."""

    def __init__(self) -> None:
        self.drawn: Progress | None = None

    def plain(self) -> Progress:
        """The bar, begun at the first call: a share and the time that is left."""
        if self.drawn is None:
            from rich.console import Console
            from rich.progress import Progress

            self.drawn = Progress(console=Console(stderr=True), transient=True)
            self.drawn.start()
        return self.drawn

    def of_bytes(self) -> Progress:
        """The bar, begun at the first call: it counts bytes."""
        if self.drawn is None:
            from rich.console import Console
            from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                DownloadColumn(),
                TimeRemainingColumn(),
            )
            self.drawn = Progress(*columns, console=Console(stderr=True), transient=True)
            self.drawn.start()
        return self.drawn


@contextmanager
def wiped() -> Iterator[Bar]:
    """A bar for as long as a block lasts."""
    bar = Bar()
    try:
        yield bar
    finally:
        if bar.drawn is not None:
            bar.drawn.stop()
