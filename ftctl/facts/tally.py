"""What is counted over all rows of a file in little memory: characters, turns, and rows that come again."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from heapq import nsmallest
from typing import NamedTuple

BUCKETS = 256
LIMIT = 8_000_000  # rows whose hashes are kept: 12 bytes each, 96 MB


class Repeat(NamedTuple):
    """A row that holds the same texts as an earlier one (`first`); both are lines."""

    line: int
    first: int


class Repeats(NamedTuple):
    """How many rows come again, and the first few of them."""

    total: int
    shown: tuple[Repeat, ...]


class Tally:
    """Counts over rows. Hashes are Python's own of 64 bits: equal within one process only.

    Of 8 million different rows, two share a hash with a probability of 2 in a million.
    """

    def __init__(self) -> None:
        self.rows = self.characters = self.turns = self.longest = 0
        self._hashes = [array("q") for _ in range(BUCKETS)]
        self._lines = [array("I") for _ in range(BUCKETS)]
        self._buckets = tuple(zip(self._hashes, self._lines, strict=True))

    def add(self, line: int, texts: Sequence[str], turns: int) -> None:
        size = sum(map(len, texts))
        self.rows += 1
        self.characters += size
        self.turns += turns
        self.longest = max(self.longest, size)
        if self.rows <= LIMIT:
            key = hash(tuple(texts))
            hashes, lines = self._buckets[key & 255]
            hashes.append(key)
            lines.append(line & 0xFFFFFFFF)

    @property
    def complete(self) -> bool:
        """Whether every row's hash was kept, so that no row that comes again was missed."""
        return self.rows <= LIMIT

    def repeats(self, shown: int = 3) -> Repeats:
        """The rows that stand in the file a second time."""
        count = 0
        first: list[Repeat] = []
        for hashes, lines in zip(self._hashes, self._lines, strict=True):
            if len(set(hashes)) < len(hashes):
                again = list(_again(hashes, lines))
                count += len(again)
                first = nsmallest(shown, first + again)
        return Repeats(count, tuple(first))

    def shared(self, other: Tally, shown: int = 3) -> Repeats:
        """The rows of this file that stand in `other` too, `first` being the line there."""
        count = 0
        first: list[Repeat] = []
        for number in range(BUCKETS):
            both = set(self._hashes[number]).intersection(other._hashes[number])
            if both:
                there = dict(
                    zip(reversed(other._hashes[number]), reversed(other._lines[number]), strict=True)
                )
                mine = zip(self._hashes[number], self._lines[number], strict=True)
                found = [Repeat(line, there[key]) for key, line in mine if key in both]
                count += len(found)
                first = nsmallest(shown, first + found)
        return Repeats(count, tuple(first))


def _again(hashes: array[int], lines: array[int]) -> Iterator[Repeat]:
    seen: dict[int, int] = {}
    for key, line in zip(hashes, lines, strict=True):
        before = seen.setdefault(key, line)
        if before != line:
            yield Repeat(line, before)
