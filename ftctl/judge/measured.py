"""What was measured of one model, as gates and comparisons read it: its figures, and those of each row."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ftctl.judge.bootstrap import means
from ftctl.judge.gate import Figure


@dataclass(frozen=True)
class Measurement:
    """`values` are the figures, `rows` those of each row by its id, `test` a hash of what was asked.

    `known` holds the intervals where they were recorded; of others they are drawn from the rows. `lower` are
    the figures of which less is better; `missing` says of others why they could not be computed. What stands
    for an answer or a score that was not got is the worst: `flaw` says why no figure may be a bar for that,
    and `unscored` why single ones may not.
    """

    name: str
    test: str
    values: Mapping[str, float]
    rows: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    known: Mapping[str, Figure] = field(default_factory=dict)
    lower: frozenset[str] = frozenset()
    missing: Mapping[str, str] = field(default_factory=dict)
    flaw: str = ""
    unscored: Mapping[str, str] = field(default_factory=dict)

    def figures(self, wanted: Iterable[str]) -> dict[str, Figure]:
        """All figures; those that are `wanted` with their intervals, where rows give them."""
        plain = {name: Figure(value) for name, value in self.values.items()} | dict(self.known)
        drawn = [name for name in wanted if name in plain and name not in self.known]
        columns = {name: [row[name] for row in self.rows.values() if name in row] for name in sorted(drawn)}
        # All rows or none: a mean over fewer is another figure.
        whole = {name: column for name, column in columns.items() if len(column) == len(self.rows)}
        return plain | means({name: column for name, column in whole.items() if self.is_mean(name)})

    def is_mean(self, name: str) -> bool:
        """Whether the figure is the mean of what its rows have."""
        column = [value for row in self.rows.values() if (value := row.get(name)) is not None]
        value = self.values.get(name)
        return (
            bool(column)
            and value is not None
            and math.isclose(math.fsum(column) / len(column), value, abs_tol=1e-6)
        )


def gains(one: Measurement, other: Measurement, names: Iterable[str]) -> dict[str, Figure]:
    """By how much `one` is above `other`, paired by row: the mean difference and its interval.

    Only of figures that are the mean of their rows: of others, as BLEU, the rows' differences say nothing.
    """
    both = [row for row in one.rows if row in other.rows]
    columns = {}
    for name in sorted(names):
        pairs = [(one.rows[row].get(name), other.rows[row].get(name)) for row in both]
        column = [a - b for a, b in pairs if a is not None and b is not None]
        if column and len(column) == len(both) and one.is_mean(name) and other.is_mean(name):
            columns[name] = column
    return means(columns)


def counts(one: Measurement, other: Measurement, name: str) -> tuple[int, int, int]:
    """How many rows of both `one` does better than `other`, worse, and as well."""
    ahead = [change for _, change in changes(one, other, name)]
    return sum(by > 0 for by in ahead), sum(by < 0 for by in ahead), sum(by == 0 for by in ahead)


def changes(one: Measurement, other: Measurement, name: str) -> list[tuple[str, float]]:
    """By how much `one` is better than `other` in each row of both; below 0 it is worse."""
    sign = -1 if name in one.lower else 1
    found = []
    for row, values in one.rows.items():
        a, b = values.get(name), other.rows.get(row, {}).get(name)
        if a is not None and b is not None and math.isfinite(a - b):
            found.append((row, sign * (a - b)))
    return found
