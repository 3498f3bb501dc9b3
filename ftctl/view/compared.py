"""Two runs side by side, for people and for programs."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from ftctl.run.compare import Comparison
from ftctl.view.progress import duration

if TYPE_CHECKING:
    from rich.console import RenderableType


def as_data(found: Comparison) -> dict[str, Any]:
    """Both runs, and the lines as objects."""
    lines = [{"section": line.section, "key": line.key, "a": line.a, "b": line.b} for line in found.lines]
    return {"a": found.a._asdict(), "b": found.b._asdict(), "lines": lines}


def as_text(found: Comparison) -> RenderableType:
    """A table with a row for every line, under the name of its section."""
    from rich.markup import escape
    from rich.table import Table

    drawn = Table(box=None, header_style="bold", pad_edge=False)
    drawn.add_column("")
    for run in (found.a, found.b):
        drawn.add_column(f"{run.name} {run.id}", overflow="fold")
    for section, lines in groupby(found.lines, key=lambda line: line.section):
        drawn.add_row(f"[bold]{section}[/bold]", "", "")
        for line in lines:
            cells = (escape(shown(value, section)) for value in (line.a, line.b))
            drawn.add_row(f"  {escape(line.key)}", *cells)
    return drawn


def shown(value: Any, section: str) -> str:
    """A value of a section as a cell shows it."""
    if value is None:
        return "-"
    if section == "time":
        return duration(value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)
