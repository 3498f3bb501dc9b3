"""What an evaluation's figures are, as `figures.json` and `comparison.json` keep them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Figure:
    """A metric's value over `rows` rows, and its interval; a throughput has none."""

    value: float
    low: float | None
    high: float | None
    rows: int
    better: str
    library: str = ""
    metric: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Figures:
    """All figures of one evaluation. `missing` says of each that could not be computed why, and `unscored` of
    each in which rows count as the worst because the metric itself failed; `answers` counts
    asked, answered, errors, empty and cut; `notes` are what a reader must know."""

    figures: Mapping[str, Figure]
    missing: Mapping[str, str] = field(default_factory=dict)
    confidence: float = 0.95
    resamples: int = 1000
    seed: int = 0
    answers: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    unscored: Mapping[str, str] = field(default_factory=dict)
    version: int = 1


@dataclass(frozen=True)
class Pair:
    """A figure of two evaluations on the same questions: `difference` is b less a, with its interval; `wins`
    are the questions on which b is better."""

    a: float
    b: float
    difference: float
    low: float | None
    high: float | None
    better: str
    wins: int
    losses: int
    ties: int


@dataclass(frozen=True)
class Changed:
    """A question whose score by a metric changed."""

    id: str
    metric: str
    a: float
    b: float


@dataclass(frozen=True)
class Comparison:
    """Two evaluations on the `rows` questions that both were asked; `a` and `b` have `name` and `digest`.
    `changed` has the questions that changed most, the most changed first."""

    a: Mapping[str, Any]
    b: Mapping[str, Any]
    rows: int
    paired: Mapping[str, Pair]
    changed: tuple[Changed, ...] = ()
    confidence: float = 0.95
    resamples: int = 1000
    seed: int = 0
    notes: tuple[str, ...] = ()
    version: int = 1
