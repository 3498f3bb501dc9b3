"""Looks at data files alone: what is wrong, what is odd, and what is in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ftctl.data.asked import Asked
from ftctl.data.lengths import Lengths, Measure
from ftctl.data.tokens import Counter, tokenizer_of
from ftctl.errors import Problem
from ftctl.facts.datasets import Survey, Watch, survey
from ftctl.facts.oddities import overlap
from ftctl.facts.rows import Row
from ftctl.job.model import Dataset


@dataclass(frozen=True)
class Looked:
    """One file: what the survey found, and its rows' lengths where a tokenizer was there."""

    path: Path
    held_out: bool
    survey: Survey
    lengths: Lengths | None = None


@dataclass(frozen=True)
class Report:
    """All files of one call."""

    files: tuple[Looked, ...]
    warnings: tuple[Problem, ...]

    @property
    def problems(self) -> tuple[Problem, ...]:
        return tuple(problem for file in self.files for problem in file.survey.problems)


def look(asked: Asked, *, watch: Watch | None = None, lengths: bool = False) -> Report:
    """Read every file once. With `lengths` rows are counted in tokens. Raises UsageError for a model without
    a tokenizer."""
    counter = Counter(tokenizer_of(asked.model)) if lengths and asked.model is not None else None
    files = tuple(
        _file(asked, dataset, held_out, counter, watch)
        for held_out, datasets in ((False, asked.train), (True, asked.eval))
        for dataset in datasets
    )
    known = [(file.path, file.survey.held_against) for file in files if not file.held_out]
    warnings = [warning for file in files for warning in file.survey.warnings]
    for file in files:
        if file.held_out:
            warnings += overlap((file.path, file.survey.held_against), known, file.survey.unit)
    return Report(files, tuple(sorted(warnings)))


def _file(
    asked: Asked, dataset: Dataset, held_out: bool, counter: Counter | None, watch: Watch | None
) -> Looked:
    wanted = asked.held_out if held_out else asked.wanted
    if counter is None or not dataset.path.is_file():
        return Looked(dataset.path, held_out, survey(dataset, asked.task, watch=watch, wanted=wanted))
    measure = Measure(counter, dataset.path.stat().st_size)

    def see(_: Row, texts: Sequence[str]) -> None:
        measure.add(texts)

    found = survey(dataset, asked.task, watch=watch, see=see, wanted=wanted)
    return Looked(dataset.path, held_out, found, measure.lengths(asked.max_length))
