"""Several measured models beside the first: figures, paired differences, and the rows that changed most."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ftctl.judge.gate import Figure
from ftctl.judge.measured import Measurement, changes, counts, gains

Gained = Callable[[Measurement, Measurement, Iterable[str]], Mapping[str, Figure]]
SHOWN = 20  # rows that changed, of each pair


class Paired(NamedTuple):
    """How a model does beside the first in one figure.

    `difference` is of the two figures; it has an interval where the figure is a mean over the rows. The
    counts are of the rows of both, None where rows have none.
    """

    difference: Figure
    wins: int | None = None
    losses: int | None = None
    ties: int | None = None


class Changed(NamedTuple):
    """A row that changed: its id, and by how much the model does better in it than the first."""

    row: str
    metric: str
    by: float
    first: float
    other: float


@dataclass(frozen=True)
class Beside:
    """One model beside the first. `why` says why nothing is paired."""

    name: str
    paired: dict[str, Paired]
    changed: tuple[Changed, ...] = ()
    why: str = ""


def beside(
    first: Measurement,
    other: Measurement,
    metric: str | None = None,
    shown: int = SHOWN,
    gained: Gained = gains,
) -> Beside:
    """Compare two measurements; rows that changed most are by `metric`, or by the first that rows have.

    `gained` gives the paired differences with their intervals.
    """
    if first.test != other.test:
        return Beside(other.name, {}, why="measured on other rows, so that nothing can be paired")
    if flawed := next((one for one in (first, other) if one.flaw), None):
        return Beside(other.name, {}, why=f"not paired: of {flawed.name} {flawed.flaw}")
    both = [name for name in first.values if name in other.values]
    drawn = gained(other, first, both)
    paired = {name: _paired(first, other, name, drawn.get(name)) for name in both}
    ranked = metric or next((name for name in both if paired[name].wins is not None), None)
    return Beside(other.name, paired, () if ranked is None else _changed(first, other, ranked, shown))


def _paired(first: Measurement, other: Measurement, name: str, drawn: Figure | None) -> Paired:
    difference = drawn or Figure(other.values[name] - first.values[name])
    wins, losses, ties = counts(other, first, name)
    return Paired(difference, wins, losses, ties) if wins + losses + ties else Paired(difference)


def _changed(first: Measurement, other: Measurement, name: str, shown: int) -> tuple[Changed, ...]:
    """The rows whose figure changed most, as many of the better as of the worse where there are both."""
    moved = sorted(
        ((row, by) for row, by in changes(other, first, name) if by),
        key=lambda found: (-abs(found[1]), found[0]),
    )
    worse = [found for found in moved if found[1] < 0]
    better = [found for found in moved if found[1] > 0]
    half = shown // 2
    kept = better[: max(half, shown - len(worse))] + worse[: max(half, shown - len(better))]
    values = first.rows, other.rows
    return tuple(Changed(row, name, by, values[0][row][name], values[1][row][name]) for row, by in kept)


def names_of(measured: Sequence[Measurement]) -> list[str]:
    """All figures of all models, in the order in which they are first met."""
    return list(dict.fromkeys(name for one in measured for name in one.values))
