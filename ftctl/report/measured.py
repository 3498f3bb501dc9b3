"""The figures of a run's model and of its base beside it, whichever way they were measured."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ftctl.judge.model import Evaluation, label
from ftctl.report.records import Records
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
        """Whether it got better; None where nothing changed or nothing is known."""
        if self.difference is None or not self.difference.value or math.isnan(self.difference.value):
            return None
        return (self.difference.value > 0) == (self.better == "higher")


def measures(records: Records) -> tuple[Measure, ...]:
    """Every figure of the run, in the order in which it was measured."""
    if records.retrieval is not None:
        return _retrieval(records.retrieval)
    figures = {name: _values(answers.figures) for name, answers in records.answers.items()}
    order = dict.fromkeys(name for one in ("tuned", "base") for name in figures.get(one, {}))
    better = {
        name: str(one.get("better", "higher"))
        for answers in records.answers.values()
        for name, one in _objects(answers.figures.get("figures")).items()
    }
    paired = _objects((records.comparison or {}).get("paired"))
    return tuple(_measure(name, better.get(name, "higher"), figures, paired.get(name, {})) for name in order)


def _measure(
    name: str, better: str, figures: Mapping[str, Mapping[str, Value]], paired: Mapping[str, Any]
) -> Measure:
    tuned, base = (figures.get(one, {}).get(name) for one in ("tuned", "base"))
    difference = None
    if tuned is not None and base is not None:
        difference = Value(tuned.value - base.value)
    if _number(paired.get("difference")) is not None:
        difference = Value(
            float(paired["difference"]), _number(paired.get("low")), _number(paired.get("high"))
        )
    counts = tuple(paired.get(one) for one in ("wins", "losses", "ties"))
    whole = all(isinstance(one, int) for one in counts)
    return Measure(name, _label(name), better, tuned, base, difference, counts if whole else None)  # type: ignore[arg-type] # they are counts


def _label(name: str) -> str:
    return label(name) if "@" in name else name


def _retrieval(evaluation: Evaluation) -> tuple[Measure, ...]:
    tuned = {} if evaluation.tuned is None else evaluation.tuned.figures
    base = {} if evaluation.base is None else evaluation.base.figures
    return tuple(
        Measure(
            name,
            label(name),
            "higher",
            Value(value),
            Value(base[name]) if name in base else None,
            Value(evaluation.difference[name]) if name in evaluation.difference else None,
        )
        for name, value in tuned.items()
    )


def _values(figures: Mapping[str, Any]) -> dict[str, Value]:
    return {
        name: Value(
            value if (value := _number(one.get("value"))) is not None else math.nan,
            _number(one.get("low")),
            _number(one.get("high")),
        )
        for name, one in _objects(figures.get("figures")).items()
    }


def _objects(value: object) -> dict[str, dict[str, Any]]:
    """The members of an object that are objects."""
    if not isinstance(value, dict):
        return {}
    return {str(name): one for name, one in value.items() if isinstance(one, dict)}


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


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
