"""Looks at the data that a job names: the facts that the plan needs, and everything wrong or odd."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from ftctl.errors import Problem
from ftctl.facts.asked import Asked
from ftctl.facts.datasets import Survey, Watch, survey
from ftctl.facts.model import DatasetFacts
from ftctl.facts.oddities import overlap
from ftctl.job.model import Dataset, Job

Looked = list[tuple[Dataset, Survey]]


@dataclass(frozen=True)
class JobData:
    """The files to train and to evaluate on that are good, and what is to be said of all."""

    train: tuple[DatasetFacts, ...] = ()
    eval: tuple[DatasetFacts, ...] = ()
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


def look_at_data(job: Job, asked: Asked, watch: Watch | None = None) -> JobData:
    """Read every data file of a job once; files that other jobs `asked` for are not read again."""
    if job.data is None:
        return JobData()
    task = job.train.task if job.train is not None else None

    def look(datasets: tuple[Dataset, ...]) -> Looked:
        reading = [partial(survey, dataset, task, watch=watch) for dataset in datasets]
        keys = [("data", task, repr(dataset)) for dataset in datasets]
        return [(d, asked.once(key, read)) for d, key, read in zip(datasets, keys, reading, strict=True)]

    train, held_out = look(job.data.train), look(job.data.eval)
    known = [(dataset.path, found.tally) for dataset, found in train]
    warnings = [warning for _, found in (*train, *held_out) for warning in found.warnings]
    for dataset, found in held_out:
        warnings += overlap((dataset.path, found.tally), known)
    problems = [problem for _, found in (*train, *held_out) for problem in found.problems]
    return JobData(_facts(train), _facts(held_out), tuple(problems), tuple(sorted(warnings)))


def _facts(looked: Looked) -> tuple[DatasetFacts, ...]:
    return tuple(found.facts for _, found in looked if found.facts is not None)
