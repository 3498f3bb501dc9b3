"""Looks at the data that a job names: the facts that the plan needs, and everything wrong or odd."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from ftctl.data.cut import Suspects
from ftctl.errors import Problem, UsageError
from ftctl.facts.asked import Asked
from ftctl.facts.datasets import Survey, Watch, survey
from ftctl.facts.model import DatasetFacts
from ftctl.facts.oddities import overlap
from ftctl.job.model import RETRIEVAL, Dataset, Job, problem_at

QUICK = 4_000_000  # bytes of a tokenizer.json that loads in a tenth of a second

Looked = list[tuple[Dataset, Survey, Suspects | None]]


@dataclass(frozen=True)
class JobData:
    """The files to train and to evaluate on that are good, and what is to be said of all."""

    train: tuple[DatasetFacts, ...] = ()
    eval: tuple[DatasetFacts, ...] = ()
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


def look_at_data(job: Job, asked: Asked, watch: Watch | None = None, *, quick: bool = False) -> JobData:
    """Read every data file of a job once; files that other jobs `asked` for are not read again.

    With `quick` a tokenizer that takes long to load counts no tokens.
    """
    if job.data is None:
        return JobData()
    task = job.train.task if job.train is not None else None

    length = _measured(job, quick)

    def look(datasets: tuple[Dataset, ...]) -> Looked:
        read = partial(_read, task=task, length=length, watch=watch)
        keys = [("data", task, length, repr(dataset)) for dataset in datasets]
        return [(d, *asked.once(key, partial(read, d))) for d, key in zip(datasets, keys, strict=True)]

    train, held_out = look(job.data.train), look(job.data.eval)
    known = [(dataset.path, found.tally) for dataset, found, _ in train]
    warnings = [warning for _, found, _ in (*train, *held_out) for warning in found.warnings]
    for dataset, found, _ in held_out:
        warnings += overlap((dataset.path, found.tally), known)
    warnings += _cut(job, [suspects for _, _, suspects in train if suspects is not None])
    problems = [problem for _, found, _ in (*train, *held_out) for problem in found.problems]
    return JobData(_facts(train), _facts(held_out), tuple(problems), tuple(sorted(warnings)))


def _facts(looked: Looked) -> tuple[DatasetFacts, ...]:
    return tuple(found.facts for _, found, _ in looked if found.facts is not None)


def _measured(job: Job, quick: bool) -> int | None:
    """The length that rows are held against; None where no tokenizer can count, or not quickly."""
    file = Path(job.model.path) / "tokenizer.json"
    train = job.train
    if train is None or train.task in RETRIEVAL or train.packing is not None:
        return None
    if not job.model.local or not file.is_file():
        return None
    return None if quick and file.stat().st_size > QUICK else train.max_length


def _read(
    dataset: Dataset, *, task: str | None, length: int | None, watch: Watch | None
) -> tuple[Survey, Suspects | None]:
    if task in RETRIEVAL:
        from ftctl.facts.retrieval_rows import survey_retrieval  # other tasks do without it

        return survey_retrieval(dataset, watch=watch), None
    if length is None:
        return survey(dataset, task, watch=watch), None
    suspects = Suspects(length)
    return survey(dataset, task, watch=watch, see=lambda _, texts: suspects.see(texts)), suspects


def _cut(job: Job, looked: list[Suspects]) -> Iterator[Problem]:
    for suspects in looked:
        try:
            said = suspects.warning(Path(job.model.path))
        except UsageError:
            return  # a tokenizer that only transformers can read is no mistake of the job
        if said:
            remedy = "raise it, or shorten the rows; ftctl data stats shows all lengths"
            problem = problem_at(job, "train.max_length", said, remedy)
            yield replace(problem, kind="data", level="warning")
