"""Finds rows that stand in held-out files and in training files too: the same ones, and nearly the same ones.

Rows are the same where their texts are, once normalised; nearly the same where the sets of their shingles
(every three tokens in a row) have a Jaccard index of 0.8 or more: Broder 1997, On the resemblance and
containment of documents. The search is exact, by prefix filtering with rare shingles first: Chaudhuri, Ganti
and Kaushik 2006, and Bayardo, Ma and Srikant 2007 (All-Pairs).
"""

from __future__ import annotations

import math
import re
import unicodedata
from array import array
from collections.abc import Iterable, Sequence
from typing import NamedTuple

JACCARD = 0.8
SHINGLE = 3  # tokens
TOKENS = 2_000  # of a row: what comes after is taken to be as near as what came before
SHINGLES = 2_000_000  # of the held-out rows, about 300 MB; rows beyond are compared for sameness alone
# A word, or one character of a script that is written without blanks.
_TOKEN = re.compile(r"[぀-ヿ㐀-䶿一-鿿豈-﫿가-힯\U00020000-\U0003ffff]|[^\W぀-ヿ㐀-䶿一-鿿豈-﫿가-힯]+")


class Near(NamedTuple):
    """A training row (`line`) that is `held`, a row of a held-out file; `alike` is their Jaccard index."""

    line: int
    held: int
    alike: float


class HeldOut:
    """Held-out rows, to hold training rows against. Rows are `add`ed first; then `find` may be asked.

    Hashes are Python's own of 64 bits: equal within one process only.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.compared = 0  # rows whose shingles are kept
        self._same: dict[int, int] = {}  # the hash of a whole text → the row's number
        self._lines = array("Q")
        self._sets: list[array[int]] = []
        self._owners = array("L")  # of each set, the row's number
        self._count: dict[int, int] = {}  # shingle → in how many sets it is
        self._index: dict[int, list[int]] | None = None
        self._held = 0

    def add(self, line: int, texts: Iterable[str]) -> None:
        """Keep a row."""
        self._index = None
        number = len(self._lines)
        self.rows += 1
        self._lines.append(line)
        tokens = tokens_of(texts)
        before = self._same.setdefault(_whole(tokens), number)
        if before != number or self._held >= SHINGLES:
            return
        found = shingles(tokens)
        self.compared += 1
        self._held += len(found)
        self._sets.append(array("q", found))
        self._owners.append(number)
        for one in found:
            self._count[one] = self._count.get(one, 0) + 1

    def find(self, texts: Iterable[str]) -> Near | None:
        """The held-out row that a training row is, or is nearly; `line` is left 0. None: there is none."""
        tokens = tokens_of(texts)
        same = self._same.get(_whole(tokens))
        if same is not None:
            return Near(0, self._lines[same], 1.0)
        if self._strange(tokens):
            return None
        found = shingles(tokens)
        known = [one for one in found if one in self._count]
        most_unknown = len(found) - math.ceil(JACCARD * len(found))
        if not known or len(found) - len(known) > most_unknown:
            return None  # too much of it is in no held-out row
        known.sort(key=self._rare)
        prefix = known[: most_unknown - (len(found) - len(known)) + 1]
        return self._best(found, prefix)

    def _strange(self, tokens: Sequence[str]) -> bool:
        """Whether the first third of a row tells already that too much of it is in no held-out row."""
        tokens = tokens[:TOKENS]
        unknown = sum(one not in self._count for one in shingles(tokens[: len(tokens) // 3]))
        return len(tokens) > 10 * SHINGLE and unknown > (1 - JACCARD) * len(tokens)

    def _best(self, found: set[int], prefix: Sequence[int]) -> Near | None:
        index = self._indexed()
        best: Near | None = None
        for candidate in {number for one in prefix for number in index.get(one, ())}:
            other = self._sets[candidate]
            if not JACCARD * len(found) <= len(other) <= len(found) / JACCARD:
                continue
            both = sum(one in found for one in other)
            alike = both / (len(found) + len(other) - both)
            if alike >= JACCARD and (best is None or alike > best.alike):
                best = Near(0, self._lines[self._owners[candidate]], alike)
        return best

    def _rare(self, shingle: int) -> tuple[int, int]:
        """The order of shingles, the same in every row: rare ones first."""
        return self._count[shingle], shingle

    def _indexed(self) -> dict[int, list[int]]:
        """The sets by the rarest of their shingles, one of which a near set must share."""
        if self._index is None:
            self._index = {}
            for number, one in enumerate(self._sets):
                ordered = sorted(one, key=self._rare)
                for shingle in ordered[: len(one) - math.ceil(JACCARD * len(one)) + 1]:
                    self._index.setdefault(shingle, []).append(number)
        return self._index


def tokens_of(texts: Iterable[str]) -> list[str]:
    """The words of texts, without case, punctuation and blanks; of Chinese and the like the characters."""
    text = "\n".join(texts)
    return _TOKEN.findall((text if text.isascii() else unicodedata.normalize("NFKC", text)).casefold())


def shingles(tokens: Sequence[str]) -> set[int]:
    """The hashes of every three tokens that follow each other; of fewer tokens there is one."""
    tokens = tokens[:TOKENS]
    if len(tokens) <= SHINGLE:
        return {hash(tuple(tokens))}
    return set(map(hash, zip(tokens, tokens[1:], tokens[2:], strict=False)))


def _whole(tokens: Sequence[str]) -> int:
    return hash(tuple(tokens))
