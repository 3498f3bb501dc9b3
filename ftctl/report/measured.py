"""The figures of a run's model and of its base beside it, whichever way they were measured."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ftctl.judge.comparing import beside
from ftctl.judge.gate import Figure
from ftctl.judge.measured import Measurement
from ftctl.judge.model import label
from ftctl.report.words import figure, signed

COST = ("latency", "requests_per_second", "tokens_per_second")  # how figures begin that are not of quality


@dataclass(frozen=True)
class Value:
    """A figure, and its interval where one was estimated. NaN: it is missing."""

    value: float
    low: float | None = None
    high: float | None = None

    @property
    def text(self) -> str:
        if self.low is None or self.high is None:
            return figure(self.value)
        return f"{figure(self.value)} [{figure(self.low)}, {figure(self.high)}]"


@dataclass(frozen=True)
class Measure:
    """One figure of both models. `better` is higher or lower; `difference` is tuned minus base, with its
    interval where the same questions were put to both; `counts` are wins, losses and ties."""

    name: str
    label: str
    better: str
    tuned: Value | None
    base: Value | None = None
    difference: Value | None = None
    counts: tuple[int, int, int] | None = None

    @property
    def change(self) -> str:
        """The difference in words, with its interval."""
        if self.difference is None:
            return "–"
        low, high = self.difference.low, self.difference.high
        interval = "" if low is None or high is None else f" [{signed(low)}, {signed(high)}]"
        return signed(self.difference.value) + interval

    @property
    def gained(self) -> bool | None:
        """Whether it got better; None where it did not change, or its interval holds that it did not."""
        if self.difference is None or not self.difference.value or math.isnan(self.difference.value):
            return None
        low, high = self.difference.low, self.difference.high
        if low is not None and high is not None and low <= 0 <= high:
            return None
        return (self.difference.value > 0) == (self.better == "higher")


def measures(
    tuned: Measurement | None, base: Measurement | None, comparison: Mapping[str, Any]
) -> tuple[Measure, ...]:
    """Every figure of both models, in the order in which it was measured, with the intervals that were
    recorded or that rows give; differences as `comparison`, the record of a comparison, has them."""
    own = {} if tuned is None else tuned.figures(tuned.values)
    before = {} if base is None else base.figures(base.values)
    paired = _recorded(comparison.get("paired")) or _counted(tuned, base)
    lower = {name for one in (tuned, base) if one is not None for name in one.lower}
    return tuple(
        Measure(
            name=name,
            label=label(name) if "@" in name else name,
            better="lower" if name in lower else "higher",
            tuned=_value(own.get(name)),
            base=_value(before.get(name)),
            **(paired.get(name) or {"difference": _plain(own.get(name), before.get(name))}),
        )
        for name in dict.fromkeys((*own, *before))
    )


def _value(one: Figure | None) -> Value | None:
    return None if one is None else Value(one.value, one.low, one.high)


def _plain(tuned: Figure | None, base: Figure | None) -> Value | None:
    """The difference of two figures that no rows pair, as of a throughput."""
    return None if tuned is None or base is None else Value(tuned.value - base.value)


def _counted(tuned: Measurement | None, base: Measurement | None) -> dict[str, dict[str, Any]]:
    """Differences and counts by figure, as the rows of both models give them."""
    if tuned is None or base is None:
        return {}
    return {
        name: {
            "difference": _value(one.difference),
            "counts": None if one.wins is None else (one.wins, one.losses, one.ties),
        }
        for name, one in beside(base, tuned).paired.items()
    }


def _recorded(paired: object) -> dict[str, dict[str, Any]]:
    """Differences and counts by figure, as they were recorded."""
    found = {}
    for name, one in paired.items() if isinstance(paired, dict) else ():
        if isinstance(one, dict) and isinstance(one.get("difference"), int | float):
            counts = tuple(one.get(key) for key in ("wins", "losses", "ties"))
            found[name] = {
                "difference": Value(one["difference"], one.get("low"), one.get("high")),
                "counts": counts if all(isinstance(count, int) for count in counts) else None,
            }
    return found


def interval_chart(found: tuple[Measure, ...]) -> dict[str, Any] | None:
    """Both models' figures of quality from 0 to 1, with intervals, as inside/report_charts.py takes them."""
    rows = [
        {"label": one.label, "models": models}
        for one in found
        if not one.name.startswith(COST)
        and (models := _models(one))
        and all(0 <= model["value"] <= 1 for model in models)
    ]
    if not rows:
        return None
    height = 0.9 + 0.42 * len(rows)
    return {
        "name": "figures",
        "about": "Figures of the base and the tuned model",
        "rows": rows,
        "size": (5.3, height),
    }


def _models(one: Measure) -> list[dict[str, Any]]:
    return [
        {"model": name, "value": value.value, "low": value.low, "high": value.high}
        for name, value in (("base", one.base), ("tuned", one.tuned))
        if value is not None and math.isfinite(value.value)
    ]
