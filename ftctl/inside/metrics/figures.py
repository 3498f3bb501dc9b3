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
    """A formula over the sums of the rows' statistics (n by k).

    `state` is 1 of a row that is answered, 0 of one that is not (its statistics are those of an empty
    answer), -1 of one that does not apply. With an answer to every row it is the library's own figure. Where
    some have none it is the lesser of two: the figure with empty answers, and that of the answered rows times
    their share. The first alone would forgive a server whose other answers are too long, the second one
    whose are too short.
    """

    formula: str
    statistics: Array
    state: Array

    def __call__(self, weights: Array) -> Array:
        applies, answered = (self.state >= 0).astype(float), (self.state == 1).astype(float)
        formula, count = FORMULAS[self.formula], weights @ applies
        every = formula(weights @ (self.statistics * applies[:, None]))
        if (applies == answered).all():
            return np.where(count > 0, every, np.nan)
        some = formula(weights @ (self.statistics * answered[:, None]))
        return np.minimum(np.where(count > 0, every, np.nan), some * _divided(weights @ answered, count))

    def whole(self) -> float:
        """The figure of all rows, by the library."""
        answered = self.state == 1
        if not self.rows():
            return float("nan")
        every = by_library(self.formula, self.statistics[self.state >= 0].sum(axis=0))
        some = by_library(self.formula, self.statistics[answered].sum(axis=0))
        return float(min(every, some * answered.sum() / self.rows()))

    def arrays(self) -> dict[str, Array]:
        return {"statistics": self.statistics, "state": self.state, "formula": np.array(self.formula)}

    def rows(self) -> int:
        return int((self.state >= 0).sum())


@dataclass(frozen=True)
class MacroF1:
    """The mean over `labels` classes of F1 = 2 hits / (true + told), 0 where a class has neither.

    `truth` and `told` are classes from 0; `told` is `labels` where the answer is none of them, `truth` where
    the reference is. `state` is as in Corpus: a row without an answer counts as told for every class but its
    own, so that no answer is never better than any.
    """

    truth: Array
    told: Array
    state: Array
    labels: int

    def __call__(self, weights: Array) -> Array:
        applies = self.state >= 0
        truth, told, silent = self.truth[applies], self.told[applies], self.state[applies] == 0
        return np.array([self._of(truth, told, silent, row[applies]) for row in weights])

    def _of(self, truth: Array, told: Array, silent: Array, weights: Array) -> float:
        count = self.labels + 1
        hits = np.bincount(truth, np.where(truth == told, weights, 0.0), count)
        missed = np.bincount(truth, np.where(silent, weights, 0.0), count)
        there = np.bincount(truth, weights, count) + np.bincount(told, np.where(silent, 0.0, weights), count)
        found = _divided(2 * hits, there + missed.sum() - missed, 0.0)[: self.labels]
        return float(found.sum() / self.labels) if self.labels and len(truth) else np.nan

    def whole(self) -> float:
        """The figure of all rows, by scikit-learn where all are answered."""
        from sklearn.metrics import f1_score

        at = self.state >= 0
        if (self.state == 0).any() or not at.any() or not self.labels:
            return float(self(np.ones((1, len(self.state))))[0])
        names = list(range(self.labels))
        return float(f1_score(self.truth[at], self.told[at], labels=names, average="macro", zero_division=0))

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
    return np.divide(above, below, out=np.full(above.shape, without), where=below > 0)
