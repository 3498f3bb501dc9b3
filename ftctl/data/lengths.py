"""The lengths of rows in tokens: their spread, and the share that a maximum would cut."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from ftctl.data.tokens import Counter

BATCH = 2_000_000  # characters that are counted at once
ENOUGH = 32_000_000  # bytes of a file above which a sample of its rows is counted
PERCENTS = (50, 90, 95, 99, 100)


@dataclass(frozen=True)
class Lengths:
    """Tokens a row, without what a chat template adds: `percentiles` by percent, `cut` the share (0 to 1) of
    rows over `max_length`. `counted` of `rows` rows were measured; fewer are a random sample."""

    rows: int
    counted: int
    tokens: int  # of all rows; estimated where a sample was counted
    percentiles: dict[int, int]
    max_length: int | None = None
    cut: float | None = None

    @property
    def sampled(self) -> bool:
        return self.counted < self.rows


class Measure:
    """Takes rows one after another and counts their tokens, of a large file those of a sample."""

    def __init__(self, counter: Counter, size: int) -> None:
        self._counter, self._share = counter, min(1.0, ENOUGH / max(1, size))
        self._random = Random(0)  # noqa: S311 - the same rows every time are wanted here
        self._waiting: list[str] = []
        self._sizes: list[int] = []  # texts of each row that waits
        self._characters = self._rows = 0
        self._lengths = array("I")

    def add(self, texts: Sequence[str]) -> None:
        self._rows += 1
        if self._share < 1 and self._random.random() >= self._share:
            return
        self._waiting += texts
        self._sizes.append(len(texts))
        self._characters += sum(map(len, texts))
        if self._characters >= BATCH:
            self._count()

    def _count(self) -> None:
        counts = iter(self._counter.count(self._waiting))
        self._lengths.extend(sum(next(counts) for _ in range(size)) for size in self._sizes)
        self._waiting, self._sizes, self._characters = [], [], 0

    def lengths(self, max_length: int | None = None) -> Lengths:
        """What was measured so far."""
        self._count()
        return spread(self._lengths, self._rows, max_length)


def spread(lengths: Sequence[int], rows: int, max_length: int | None) -> Lengths:
    """The lengths of some of `rows` rows as percentiles (nearest rank) and the share above a maximum."""
    counted = len(lengths)
    if not counted:
        return Lengths(rows, 0, 0, {}, max_length)
    ordered = sorted(lengths)
    ranks = {percent: ordered[max(0, -(-percent * counted // 100) - 1)] for percent in PERCENTS}
    cut = None if max_length is None else sum(length > max_length for length in ordered) / counted
    return Lengths(rows, counted, round(sum(ordered) * rows / counted), ranks, max_length, cut)
