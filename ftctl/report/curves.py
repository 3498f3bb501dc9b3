"""Which charts a report has, and what is drawn in each, as the program that draws them reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ftctl.events import Event
from ftctl.report.series import Series, fitting_window, resumed_at, series, smoothed, thinned

LINE, FAINT, POINTS = "line", "faint", "points"
GIB = 2**30


@dataclass(frozen=True)
class Curves:
    """One chart of curves: its figures' names. One that is `noisy` is drawn faint, its average over it."""

    name: str
    title: str
    figures: tuple[str, ...]
    noisy: bool = False


CHARTS = (
    Curves("loss", "Loss", ("loss", "eval_loss"), noisy=True),
    Curves("learning_rate", "Learning rate", ("learning_rate",)),
    Curves("speed", "Tokens per second", ("tokens_per_second",), noisy=True),
    Curves("samples", "Samples per second", ("samples_per_second",), noisy=True),
    Curves("grad_norm", "Gradient norm", ("grad_norm",), noisy=True),
    Curves("memory", "Memory", ("memory",)),
)


def shown(events: Sequence[Event], chart: Curves) -> list[Series]:
    """The chart's lines that the run has; samples are drawn only where no tokens are. Memory is in GiB."""
    if chart.name == "samples" and series(events, "tokens_per_second") is not None:
        return []
    found = [one for name in chart.figures if (one := series(events, name)) is not None]
    return [in_unit(one) for one in found]


def in_unit(one: Series) -> Series:
    """The line as it is drawn: memory in GiB."""
    return replace(one, y=tuple(value / GIB for value in one.y)) if one.name == "memory" else one


def caption(chart: Curves, resumed: Sequence[int]) -> str:
    """What the axes do not say: the unit, and where the training was taken up again."""
    parts = ["in GiB" if chart.name == "memory" else "", "dotted: taken up again" if resumed else ""]
    return "; ".join(part for part in parts if part)


def request(events: Sequence[Event], chart: Curves) -> dict[str, Any]:
    """The chart as inside/report_charts.py takes it."""
    found = shown(events, chart)
    lines: list[dict[str, Any]] = []
    for number, one in enumerate(found, 1):
        window = _window(chart, one)
        label = LABELS.get(one.name, "as logged")
        lines += drawn(one, number, window, label, f"mean of {window} points")
    return {
        "name": chart.name,
        "about": f"{chart.title} by step",
        "x_label": "step",
        "zero": all(value >= 0 for one in found for value in one.y),
        "marks": resumed_at(events),
        "lines": lines,
    }


LABELS = {"loss": "training", "eval_loss": "evaluation"}


def _window(chart: Curves, one: Series) -> int:
    return fitting_window(len(one.x)) if chart.noisy and one.name != "eval_loss" else 1


def drawn(one: Series, colour: int, window: int, label: str | None, mean: str) -> list[dict[str, Any]]:
    """One line, or the line faint and its average over it, which is named `mean`.

    `colour` counts from 1; a line without a label is not in the legend.
    """
    if one.name == "eval_loss":
        return [_line(one, label, colour, POINTS)]
    if window == 1:
        return [_line(one, label, colour, LINE)]
    smooth = replace(one, y=smoothed(one.y, window))
    return [_line(one, label, colour, FAINT), _line(smooth, mean, colour, LINE)]


def _line(one: Series, label: str | None, colour: int, style: str) -> dict[str, Any]:
    few = thinned(one)
    return {"label": label, "x": few.x, "y": few.y, "colour": colour, "style": style}
