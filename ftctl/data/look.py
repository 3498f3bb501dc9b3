"""Looks at data files alone: what is wrong, what is odd, and what is in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ftctl.data.asked import Asked
from ftctl.data.lengths import Lengths, Measure
from ftctl.data.overlap import Meeting, Watched
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
    meeting: Meeting | None = None


@dataclass(frozen=True)
class Report:
    """All files of one call."""

    files: tuple[Looked, ...]
    warnings: tuple[Problem, ...]
    overlapping: tuple[Problem, ...] = ()

    @property
    def problems(self) -> tuple[Problem, ...]:
        return (*(problem for file in self.files for problem in file.survey.problems), *self.overlapping)


def look(asked: Asked, *, watch: Watch | None = None, lengths: bool = False) -> Report:
    """Read every file once. With `lengths` rows are counted in tokens. Raises UsageError for a model without
    a tokenizer."""
    watched = _watched(asked)
    counter = Counter(tokenizer_of(asked.model)) if lengths and asked.model is not None else None
    files = tuple(
        _file(asked, dataset, held_out, counter, watch, [] if held_out else watched)
        for held_out, datasets in ((False, asked.train), (True, asked.eval))
        for dataset in datasets
    )
    warnings = [warning for file in files for warning in file.survey.warnings]
    overlapping = [] if asked.overlap == "allow" else list(_overlapping(asked.overlap, files))
    warnings += [said for said in overlapping if said.level == "warning"]
    return Report(files, tuple(sorted(warnings)), tuple(said for said in overlapping if said not in warnings))


def _overlapping(policy: str, files: Sequence[Looked]) -> Iterator[Problem]:
    """Rows to evaluate on that are in the training rows too; of queries with passages, the queries."""
    known = [(file.path, file.survey.held_against) for file in files if not file.held_out]
    for file in files:
        if file.held_out and file.survey.queries is not None:
            yield from overlap((file.path, file.survey.held_against), known, policy, file.survey.unit)
        if file.meeting is not None:
            yield from file.meeting.problems(file.path, policy)


def _file(
    asked: Asked,
    dataset: Dataset,
    held_out: bool,
    counter: Counter | None,
    watch: Watch | None,
    watched: Sequence[Watched],
) -> Looked:
    wanted = asked.held_out if held_out else asked.wanted
    meeting = Meeting(watched) if watched else None
    spoken = None if meeting is None else meeting.see
    if counter is None or not dataset.path.is_file():
        found = survey(dataset, asked.task, watch=watch, wanted=wanted, spoken=spoken)
        return Looked(dataset.path, held_out, found, None, meeting)
    measure = Measure(counter, dataset.path.stat().st_size)

    def see(_: Row, texts: Sequence[str]) -> None:
        measure.add(texts)

    found = survey(dataset, asked.task, watch=watch, see=see, spoken=spoken, wanted=wanted)
    return Looked(dataset.path, held_out, found, measure.lengths(asked.max_length), meeting)


def _watched(asked: Asked) -> list[Watched]:
    if asked.wanted is not None or asked.overlap == "allow":
        return []
    return [Watched(dataset) for dataset in (*asked.eval, *asked.others) if dataset.path.is_file()]
