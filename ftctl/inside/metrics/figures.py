"""Figures as functions of how often each row is counted, so that any of them can be resampled.

`weights` is always an array of B resamples by n rows: how often a row stands in the resample; the answer has
B values. A figure that a resample does not have (no row of it applies) is not a number there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from .formulas import FORMULAS, by_library

Array = Any  # a numpy array


class Figure(Protocol):
    """What can be computed of weighted rows, and kept as arrays by name."""

    def __call__(self, weights: Array) -> Array: ...

    def whole(self) -> float: ...

    def arrays(self) -> dict[str, Array]: ...

    def rows(self) -> int: ...


@dataclass(frozen=True)
class Mean:
    """The mean of the rows' scores; those that are not a number do not apply."""

    scores: Array

    def __call__(self, weights: Array) -> Array:
        applies = ~np.isnan(self.scores)
        return _divided(weights @ np.where(applies, self.scores, 0.0), weights @ applies.astype(float))

    def whole(self) -> float:
        """The figure of all rows."""
        return float(self(np.ones((1, len(self.scores))))[0])

    def arrays(self) -> dict[str, Array]:
        return {"scores": self.scores}

    def rows(self) -> int:
        return int((~np.isnan(self.scores)).sum())


@dataclass(frozen=True)
class Corpus:
    """A formula over the sums of the answered rows' statistics (n by k), times the share that was answered.

    So a row without an answer takes away what a score of 0 takes from a mean, whatever the formula; with an
    answer to every row it is the library's own figure. `state` is 1 of a row that is answered, 0 of one that
    is not, -1 of one that does not apply.
    """

    formula: str
    statistics: Array
    state: Array

    def __call__(self, weights: Array) -> Array:
        answered = (self.state == 1).astype(float)
        share = _divided(weights @ answered, weights @ (self.state >= 0).astype(float))
        sums = weights @ (self.statistics * answered[:, None])
        return np.where(share == 0, 0.0, share * FORMULAS[self.formula](sums))

    def whole(self) -> float:
        """The figure of all rows, by the library."""
        if not (self.state == 1).any():
            return 0.0 if self.rows() else float("nan")
        sums = self.statistics[self.state == 1].sum(axis=0)
        return float((self.state == 1).sum() / self.rows() * by_library(self.formula, sums))

    def arrays(self) -> dict[str, Array]:
        return {"statistics": self.statistics, "state": self.state, "formula": np.array(self.formula)}

    def rows(self) -> int:
        return int((self.state >= 0).sum())


@dataclass(frozen=True)
class MacroF1:
    """The mean over `labels` classes of F1 = 2 hits / (true + told), 0 where a class has neither, of the
    answered rows, times the share that was answered. `truth` and `told` are classes from 0, `told` is
    `labels` where the answer is none of them; `state` is as in Corpus."""

    truth: Array
    told: Array
    state: Array
    labels: int

    def __call__(self, weights: Array) -> Array:
        answered = self.state == 1
        truth, told = self.truth[answered], self.told[answered]
        found = [self._of(truth, told, row[answered]) for row in weights]
        share = _divided(weights @ answered.astype(float), weights @ (self.state >= 0).astype(float))
        return share * np.array(found)

    def _of(self, truth: Array, told: Array, weights: Array) -> float:
        count = self.labels + 1
        hits = np.bincount(truth, np.where(truth == told, weights, 0.0), count)
        there = np.bincount(truth, weights, count) + np.bincount(told, weights, count)
        return float(_divided(2 * hits, there, 0.0)[: self.labels].sum() / max(self.labels, 1))

    def whole(self) -> float:
        """The figure of all rows, by scikit-learn."""
        from sklearn.metrics import f1_score

        at = self.state == 1
        if not at.any() or not self.labels:
            return 0.0 if self.rows() else float("nan")
        names = list(range(self.labels))
        found = f1_score(self.truth[at], self.told[at], labels=names, average="macro", zero_division=0)
        return float(at.sum() / self.rows() * found)

    def arrays(self) -> dict[str, Array]:
        return {"truth": self.truth, "told": self.told, "state": self.state, "labels": np.array(self.labels)}

    def rows(self) -> int:
        return int((self.state >= 0).sum())


@dataclass(frozen=True)
class Quantile:
    """The smallest value that a share of the rows do not exceed; one that is not a number does not apply."""

    values: Array
    share: float

    def __call__(self, weights: Array) -> Array:
        applies = ~np.isnan(self.values)
        values = self.values[applies]
        order = np.argsort(values, kind="stable")
        below = np.cumsum(weights[:, applies][:, order], axis=1)
        if below.shape[1] == 0:
            return np.full(len(weights), np.nan)
        at = (below < self.share * below[:, -1:] - 1e-9).sum(axis=1)
        return np.where(below[:, -1] > 0, values[order][np.minimum(at, len(values) - 1)], np.nan)

    def whole(self) -> float:
        """The quantile of all rows."""
        return float(self(np.ones((1, len(self.values))))[0])

    def arrays(self) -> dict[str, Array]:
        return {"values": self.values, "share": np.array(self.share)}

    def rows(self) -> int:
        return int((~np.isnan(self.values)).sum())


def from_arrays(arrays: Mapping[str, Array], at: Array) -> Figure:
    """A figure of the rows `at` (their numbers), from what `arrays` gave."""
    if "scores" in arrays:
        return Mean(arrays["scores"][at])
    if "values" in arrays:
        return Quantile(arrays["values"][at], float(arrays["share"]))
    if "truth" in arrays:
        truth, told, state = (arrays[name][at] for name in ("truth", "told", "state"))
        return MacroF1(truth, told, state, int(arrays["labels"]))
    return Corpus(str(arrays["formula"]), arrays["statistics"][at], arrays["state"][at])


def _divided(above: Array, below: Array, without: float = np.nan) -> Array:
    return np.divide(above, below, out=np.full_like(above, without), where=below > 0)
