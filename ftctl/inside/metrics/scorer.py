"""What every metric does: look at the rows one by one, and give figures at the end."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from .figures import Figure, Mean
from .rows import Row

Scores = Sequence[float | None]  # one for each figure of the metric; None where it does not apply to the row
Tell = Callable[[str, int, int], None]  # told: what is done, how much of it, of how much
Options = Mapping[str, Any]


class Scorer(Protocol):
    """A metric at work. `library` is what counts; `notes` are what a reader of the figures must know, and
    `unscored` says of how many rows the metric itself has failed, which another time it may not."""

    library: str
    notes: list[str]
    unscored: str

    def prepare(self, rows: Iterable[Row], total: int, tell: Tell) -> None:
        """What is to be done before the rows are looked at, such as asking a server. Raises Refused."""

    def score(self, row: Row) -> Scores:
        """The scores of one row; called once for each, in order."""

    def figures(self) -> Mapping[str, Figure]:
        """The metric's figures, by its own names; one that is missing has a note."""

    def close(self) -> None:
        """Ends what was started."""


class Rowwise:
    """A metric whose figures are the means of the rows' scores.

    `of` gives the scores of an answered row; a row without an answer has `worst`, and one without a reference
    none where `needs` is reference.
    """

    def __init__(
        self,
        names: Sequence[str],
        of: Callable[[Row], Sequence[float]],
        *,
        needs: str = "reference",
        worst: float = 0.0,
        library: str = "ftctl",
    ) -> None:
        self.library, self.notes, self.unscored = library, list[str](), ""
        self._names, self._of, self._needs, self._worst = tuple(names), of, needs, worst
        self._columns = [array("d") for _ in names]

    def prepare(self, rows: Iterable[Row], total: int, tell: Tell) -> None:
        """Nothing."""

    def score(self, row: Row) -> Scores:
        """See Scorer."""
        if self._needs == "reference" and row.reference is None:
            scores: Scores = [None] * len(self._names)
        else:
            scores = self._of(row) if row.answered else [self._worst] * len(self._names)
        for column, value in zip(self._columns, scores, strict=True):
            column.append(np.nan if value is None else value)
        return scores

    def figures(self) -> Mapping[str, Figure]:
        """See Scorer."""
        return {name: Mean(np.array(column)) for name, column in zip(self._names, self._columns, strict=True)}

    def close(self) -> None:
        """Nothing."""


def state_of(row: Row) -> int:
    """1 of a row that has reference and answer, 0 of one without an answer, -1 of one without a reference."""
    if row.reference is None:
        return -1
    return int(row.answered)


Make = Callable[[Options, Path, Mapping[str, Any]], Scorer]  # of options, a scratch folder and the request
