"""Intervals by the bootstrap: the rows are drawn anew with replacement, many times, by a seed.

The interval is the percentile one of Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 13;
two systems are compared by drawing the same rows for both, as Koehn 2004 (Statistical Significance Tests for
Machine Translation Evaluation) does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .figures import Figure

Array = Any  # a numpy array
CELLS = 2**20  # weights that are held at once: 8 MB


@dataclass(frozen=True)
class Way:
    """How intervals are made: how sure they are (0.95), how often rows are drawn, and the seed."""

    confidence: float = 0.95
    resamples: int = 1000
    seed: int = 0


@dataclass(frozen=True)
class Value:
    """A figure and its interval; None is what could not be computed or has no end."""

    value: float | None
    low: float | None = None
    high: float | None = None


def drawn(rows: int, way: Way) -> Iterator[Array]:
    """The resamples, some at a time: how often each row was drawn (B by rows)."""
    rng = np.random.default_rng(way.seed)
    step = max(1, CELLS // max(rows, 1))
    for start in range(0, way.resamples, step):
        count = min(step, way.resamples - start)
        at = rng.integers(0, rows, (count, rows)) + np.arange(count)[:, None] * rows
        yield np.bincount(at.ravel(), minlength=count * rows).reshape(count, rows).astype(float)


def intervals(figures: Mapping[str, Figure], rows: int, way: Way) -> dict[str, Value]:
    """Each figure of all rows, with its interval over the same resamples for all of them."""
    if rows == 0:
        return {name: Value(None) for name in figures}
    found: dict[str, list[Array]] = {name: [] for name in figures}
    for weights in drawn(rows, way):
        for name, figure in figures.items():
            found[name].append(figure(weights))
    return {
        name: value_of(figure.whole(), np.concatenate(found[name]), way) for name, figure in figures.items()
    }


def differences(
    a: Mapping[str, Figure], b: Mapping[str, Figure], rows: int, way: Way
) -> dict[str, tuple[Value, Value, Value]]:
    """Each figure of `a`, of `b` on the same rows, and `b` less `a`; an interval for the last alone.

    Sides are told without one: what is asked of a pair is by how much it differs.
    """
    gaps: dict[str, list[Array]] = {name: [] for name in a}
    for weights in drawn(rows, way):
        for name in a:
            gaps[name].append(b[name](weights) - a[name](weights))
    found = {}
    for name in a:
        one, other = a[name].whole(), b[name].whole()
        found[name] = (Value(one), Value(other), value_of(other - one, np.concatenate(gaps[name]), way))
    return found


def value_of(value: float, resampled: Array, way: Way) -> Value:
    """The value with the percentiles of what the resamples gave."""
    there = resampled[~np.isnan(resampled)]
    if not np.isfinite(value):
        return Value(None)
    if there.size == 0:
        return Value(value)
    tail = (1 - way.confidence) / 2
    low, high = (float(np.quantile(there, at, method="inverted_cdf")) for at in (tail, 1 - tail))
    return Value(value, low if np.isfinite(low) else None, high if np.isfinite(high) else None)
