"""The curves of a run: one line for each figure, however often the training was taken up again."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from ftctl.errors import UsageError
from ftctl.events import Event
from ftctl.run.curve import curve


@dataclass(frozen=True)
class Figure:
    """A figure that a training reports: its title, its unit, and the event and the keys that hold it, the
    first that is there."""

    title: str
    unit: str
    kind: str
    keys: tuple[str, ...]


FIGURES = {
    "loss": Figure("training loss", "", "step", ("loss",)),
    "eval_loss": Figure("evaluation loss", "", "evaluation", ("eval_loss", "loss")),
    "learning_rate": Figure("learning rate", "", "step", ("learning_rate",)),
    "grad_norm": Figure("gradient norm", "", "step", ("grad_norm",)),
    "tokens_per_second": Figure("tokens per second", "tokens/s", "step", ("tokens_per_second",)),
    "samples_per_second": Figure("samples per second", "samples/s", "step", ("samples_per_second",)),
    "memory": Figure("memory", "bytes", "step", ("memory",)),
}
BY = ("step", "time")


@dataclass(frozen=True)
class Series:
    """One line: where each point stands (an optimizer step, or seconds of training) and its value. `lost`
    counts points that were no number and are not here."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    lost: int = 0

    @property
    def last(self) -> float:
        return self.y[-1]


def known(metric: str) -> Figure:
    """The figure of that name. Raises UsageError where there is none."""
    if metric not in FIGURES:
        raise UsageError(f"there is no curve of {metric!r}", f"choose one of: {', '.join(FIGURES)}")
    return FIGURES[metric]


def series(events: Sequence[Event], metric: str, by: str = "step") -> Series | None:
    """The figure's line through all attempts, what a later attempt did again counted once; None where the
    run reported none. Raises UsageError for a figure that is not known."""
    what = known(metric)
    found = [
        (step, _value(event, what))
        for event in curve(events, what.kind)
        if isinstance(step := event.data.get("step"), int)
    ]
    points = [(step, value) for step, value in found if value is not None and math.isfinite(value)]
    if not points:
        return None
    lost = sum(value is not None and not math.isfinite(value) for _, value in found)
    x = [float(step) for step, _ in points]
    if by == "time":
        x = _at(clock(events), x)
    return Series(metric, tuple(x), tuple(value for _, value in points), lost)


def _value(event: Event, what: Figure) -> float | None:
    place = event.data if what.kind == "step" else event.data.get("metrics") or {}
    value = next((place[key] for key in what.keys if key in place), None)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def clock(events: Iterable[Event]) -> list[tuple[int, float]]:
    """Each step and the seconds of training up to it: the pauses between attempts, and what an attempt did
    again, are not counted."""
    line: list[tuple[int, float]] = []
    before, began = 0.0, None
    for event in events:
        step = event.data.get("step")
        if event.kind == "attempt" and isinstance(step, int):
            line = [point for point in line if point[0] <= step]
            before, began = line[-1][1] if line else 0.0, None
        elif event.kind == "begin":
            began = event.time
        elif event.kind == "step" and isinstance(step, int):
            began = event.time if began is None else began
            spent = event.data.get("elapsed")
            line.append((step, before + (spent if isinstance(spent, int | float) else event.time - began)))
    return line


def _at(times: list[tuple[int, float]], steps: Sequence[float]) -> list[float]:
    """The seconds at which each step was done: those of the last one known by then."""
    known_steps = [step for step, _ in times]
    places = (bisect_right(known_steps, step) - 1 for step in steps)
    return [times[place][1] if place >= 0 else 0.0 for place in places]


def resumed_at(events: Iterable[Event]) -> list[int]:
    """The steps from which a training was taken up again."""
    return [
        event.data["step"]
        for event in events
        if event.kind == "attempt" and event.data.get("step") and event.data.get("checkpoint")
    ]


def smoothed(values: Sequence[float], window: int) -> tuple[float, ...]:
    """The mean of the `window` values around each, an odd number; at the ends of those that are there, the
    same number on either side, so that the line is never late."""
    sums = (0.0, *accumulate(values))
    line = []
    for at in range(len(values)):
        reach = min(window // 2, at, len(values) - 1 - at)
        line.append((sums[at + reach + 1] - sums[at - reach]) / (2 * reach + 1))
    return tuple(line)


def fitting_window(points: int) -> int:
    """How many points to average so that a noisy line is readable: an odd fiftieth; 1 below a hundred."""
    return 1 if points < 100 else points // 50 // 2 * 2 + 1


def thinned(one: Series, most: int = 600) -> Series:
    """At most so many points: of each stretch the lowest and the highest, so that no peak is lost."""
    if len(one.x) <= most:
        return one
    size = math.ceil(len(one.x) / (most // 2))
    kept: list[int] = []
    for start in range(0, len(one.x), size):
        stretch = range(start, min(start + size, len(one.x)))
        kept.extend(sorted({min(stretch, key=one.y.__getitem__), max(stretch, key=one.y.__getitem__)}))
    kept = sorted({0, *kept, len(one.x) - 1})
    return Series(one.name, tuple(one.x[at] for at in kept), tuple(one.y[at] for at in kept), one.lost)
