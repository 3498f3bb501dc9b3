"""What was measured of one model, as gates and comparisons read it: its figures, and those of each row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ftctl.judge.bootstrap import means
from ftctl.judge.gate import Figure


@dataclass(frozen=True)
class Measurement:
    """`values` are the figures, `rows` those of each row by its id, `test` a hash of what was asked.

    `known` holds the intervals where they were recorded; of others they are drawn from the rows.
    """

    name: str
    test: str
    values: Mapping[str, float]
    rows: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    known: Mapping[str, Figure] = field(default_factory=dict)

    def figures(self, wanted: Iterable[str]) -> dict[str, Figure]:
        """All figures; those that are `wanted` with their intervals, where rows give them."""
        plain = {name: Figure(value) for name, value in self.values.items()} | dict(self.known)
        drawn = [name for name in wanted if name in plain and name not in self.known]
        columns = {name: [row[name] for row in self.rows.values() if name in row] for name in sorted(drawn)}
        # All rows or none: a mean over fewer is another figure.
        whole = {name: column for name, column in columns.items() if len(column) == len(self.rows)}
        return plain | means(whole)


def gains(one: Measurement, other: Measurement, names: Iterable[str]) -> dict[str, Figure]:
    """By how much `one` is above `other`, paired by row: the mean difference and its interval."""
    both = [row for row in one.rows if row in other.rows]
    columns = {}
    for name in sorted(names):
        pairs = [(one.rows[row].get(name), other.rows[row].get(name)) for row in both]
        column = [a - b for a, b in pairs if a is not None and b is not None]
        if len(column) == len(both):
            columns[name] = column
    return means(columns)
