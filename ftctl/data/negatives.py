"""Negatives at random for queries that have none: positives of other queries, the same for the same seed."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

POOL = 20_000  # positives to draw from
TRIES = 20  # for each negative that is wanted


class Pool:
    """A random sample of positives (reservoir sampling), each with its query."""

    def __init__(self, seed: int) -> None:
        self._seed, self._seen = seed, 0
        self._random = Random(seed)  # noqa: S311 - a seed that gives the same sample is wanted
        self._kept: list[tuple[str, str]] = []

    def see(self, query: str, positives: Iterable[str]) -> None:
        """Look at one row."""
        for text in positives:
            self._seen += 1
            if len(self._kept) < POOL:
                self._kept.append((query, text))
            elif (place := self._random.randrange(self._seen)) < POOL:
                self._kept[place] = (query, text)

    def draw(self, query: str, positives: Iterable[str], number: int) -> list[str]:
        """Up to `number` different positives of other queries; the same for the same sample."""
        taken, mine = set(positives), query.strip()
        if len(self._kept) <= number * TRIES:
            others = dict.fromkeys(
                text for other, text in self._kept if other.strip() != mine and text not in taken
            )
            found = list(others)
            self._of(query).shuffle(found)
            return found[:number]
        chosen: dict[str, None] = {}
        random = self._of(query)
        for _ in range(number * TRIES):
            other, text = random.choice(self._kept)
            if other.strip() != mine and text not in taken:
                chosen[text] = None
                if len(chosen) == number:
                    break
        return list(chosen)

    def _of(self, query: str) -> Random:
        return Random(f"{self._seed}:{query}")  # noqa: S311
