"""Intervals of means by the seeded percentile bootstrap, in plain Python: for figures of a few thousand rows.

Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13. Rows are drawn with
replacement, the same ones for every column, so that the difference of two paired columns is one more column.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from random import Random

from ftctl.judge.gate import Figure

CONFIDENCE = 0.95
RESAMPLES = 1000
DRAWS = 20_000_000  # at most, some 5 s: of more than 20,000 rows there are fewer resamples, and 200 at least


def means(
    columns: Mapping[str, Sequence[float]],
    *,
    seed: int = 0,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
) -> dict[str, Figure]:
    """The mean of each column with its interval. All columns have the same rows in the same order.

    No rows: no figures. The same columns and seed give the same figures.
    """
    rows = len(next(iter(columns.values()), ()))
    if not rows:
        return {}
    times = min(resamples, max(200, DRAWS // rows))
    chance, drawn = Random(seed), range(rows)  # noqa: S311 - a draw that can be repeated, not a secret
    found: dict[str, list[float]] = {name: [] for name in columns}
    for _ in range(times):
        chosen = chance.choices(drawn, k=rows)
        for name, values in columns.items():
            found[name].append(math.fsum(map(values.__getitem__, chosen)) / rows)
    tail = (1 - confidence) / 2
    return {
        name: Figure(math.fsum(values) / rows, *_between(sorted(found[name]), tail))
        for name, values in columns.items()
    }


def _between(ordered: Sequence[float], tail: float) -> tuple[float, float]:
    """The values that leave the share `tail` of the ordered ones below and above."""
    out = math.floor(tail * len(ordered))
    return ordered[out], ordered[len(ordered) - 1 - out]
