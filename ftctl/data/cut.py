"""Whether `max_length` would cut rows: only those with more bytes than it has tokens are counted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

SAMPLE = 300  # rows that are counted, of those that could be too long
TEXT = 1 << 20  # bytes of them at most


class Suspects:
    """The rows that could be longer than `max_length`, a random sample of them kept.

    A tokenizer makes at most one token of a byte, so a row with fewer bytes is never cut.
    """

    def __init__(self, max_length: int) -> None:
        self.max_length, self.rows, self.found = max_length, 0, 0
        self._kept: list[Sequence[str]] = []
        self._random: Random | None = None

    def see(self, texts: Sequence[str]) -> None:
        """Look at one row."""
        self.rows += 1
        if 4 * sum(map(len, texts)) <= self.max_length:
            return
        if sum(len(text) if text.isascii() else len(text.encode()) for text in texts) <= self.max_length:
            return
        self.found += 1
        if len(self._kept) < SAMPLE:
            self._kept.append(texts)
        elif (place := self._place()) < SAMPLE:
            self._kept[place] = texts

    def _place(self) -> int:
        """Where a row goes once the sample is full (reservoir sampling): any number below those found."""
        if self._random is None:
            from random import Random  # 4 ms that most jobs do not need

            self._random = Random(0)  # noqa: S311 - the same sample every time is wanted here
        return self._random.randrange(self.found)

    def warning(self, folder: Path) -> str:
        """How many rows are longer by the tokenizer in `folder`; empty where none is. Raises UsageError."""
        if not self.found:
            return ""
        from ftctl.data.tokens import Counter, tokenizer_of

        counter = Counter(tokenizer_of(folder))
        counted = over = size = 0
        for texts in self._kept:
            counted += 1
            over += sum(counter.count(texts)) > self.max_length
            size += sum(map(len, texts))
            if size > TEXT:
                break
        if not over:
            return ""
        share = over / counted * self.found / self.rows
        about = "" if counted == self.found else f"about, by {counted} of the {self.found} longest, "
        rows = max(1, round(share * self.rows))
        many = f"{rows} of {self.rows} rows ({100 * share:.3g} %)"
        return f"{about}{many} are longer than its {self.max_length} tokens and will be cut"
