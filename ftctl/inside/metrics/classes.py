"""Classification: the labels that answers name, their accuracy and macro F1."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from .figures import Figure, MacroF1, Mean
from .rows import Row
from .scorer import Options, Scores, Tell, state_of
from .texts import normaliser

WORD = r"[^\W\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]"  # Chinese and Japanese have no blanks around a word


class Classification:
    """Accuracy is the share of right labels; macro F1 the mean of each label's F1, without a right answer 0
    (scikit-learn's accuracy_score and f1_score with average="macro", labels and zero_division=0).

    An answer that names no label, or several, is wrong and counts as none of them.
    """

    def __init__(self, options: Options) -> None:
        self.library, self.notes, self.unscored = f"scikit-learn {version('scikit-learn')}", list[str](), ""
        self._normalise, self._find = normaliser(options["normalise"]), options["find"]
        self._given = [self._normalise(one) for one in options["labels"] or ()]
        self._labels: dict[str, int] = {}
        self._search: re.Pattern[str] | None = None
        self._truth, self._told, self._state = array("i"), array("i"), array("b")
        self._strange: set[str] = set()

    def prepare(self, rows: Iterable[Row], total: int, tell: Tell) -> None:
        """Learn the labels: those that were given, else those of the references in order of the alphabet."""
        found = self._given or sorted(
            {self._normalise(row.reference) for row in rows if row.reference is not None}
        )
        self._labels = {label: at for at, label in enumerate(dict.fromkeys(found))}
        if self._find and any(self._labels):
            longest_first = sorted(filter(None, self._labels), key=len, reverse=True)
            named = "|".join(map(re.escape, longest_first))
            self._search = re.compile(rf"(?<!{WORD})(?:{named})(?!{WORD})")
        if not self._given and total and len(self._labels) > max(20, total / 2):
            self.notes.append(f"classification: the references have {len(self._labels)} different labels")

    def score(self, row: Row) -> Scores:
        """See Scorer."""
        state, none = state_of(row), len(self._labels)
        truth, told = none, none
        if state >= 0:
            label = self._normalise(row.reference or "")
            truth = self._labels.get(label, none)
            told = self._told_by(row.text) if state else none
            if truth == none:
                self._strange.add(label)
        for column, value in ((self._truth, truth), (self._told, told), (self._state, state)):
            column.append(value)
        right = float(truth == told != none)
        return [None, None] if state < 0 else [right, right]

    def _told_by(self, text: str) -> int:
        answer, none = self._normalise(text), len(self._labels)
        if answer in self._labels or self._search is None:
            return self._labels.get(answer, none)
        named = set(self._search.findall(answer))
        return self._labels[named.pop()] if len(named) == 1 else none

    def figures(self) -> Mapping[str, Figure]:
        """See Scorer."""
        if self._strange:
            shown = ", ".join(sorted(self._strange)[:5])
            self.notes.append(
                f"classification: references that are none of the labels count as wrong: {shown}"
            )
        truth, told, state = (np.array(column) for column in (self._truth, self._told, self._state))
        right = np.where(state < 0, np.nan, ((truth == told) & (truth < len(self._labels))).astype(float))
        return {"accuracy": Mean(right), "macro_f1": MacroF1(truth, told, state, len(self._labels))}

    def close(self) -> None:
        """Nothing."""


def classification(options: Options, _scratch: Path, _request: Mapping[str, Any]) -> Classification:
    """See Classification."""
    return Classification(options)
