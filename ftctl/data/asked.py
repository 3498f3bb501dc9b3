"""What a data command is to look at: the files of a job, or files by themselves."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ftctl.errors import UsageError
from ftctl.job.model import Dataset, Job
from ftctl.job.training import RETRIEVAL

if TYPE_CHECKING:
    from ftctl.facts.retrieval_pass import Wanted

FORMATS = ("retrieval", "triplet", "pair")
JOBS = (".yaml", ".yml")


@dataclass(frozen=True)
class Asked:
    """Files to train and to evaluate on; `task` None takes rows of every kind. `model` is a folder."""

    train: tuple[Dataset, ...]
    eval: tuple[Dataset, ...] = ()
    task: str | None = None
    model: Path | None = None
    max_length: int | None = None
    wanted: Wanted | None = None  # of the rows of an embedder or a reranker
    held_out: Wanted | None = None  # of those to evaluate on
    others: tuple[Dataset, ...] = ()  # that the served model is asked: held against the training rows alone
    overlap: str = "fail"


def asked(paths: Sequence[Path]) -> Asked:
    """A job file alone, or data files. Raises JobError, UsageError."""
    jobs = [path for path in paths if path.suffix.lower() in JOBS]
    if not jobs:
        return Asked(tuple(Dataset(path) for path in paths))
    if len(paths) > 1:
        raise UsageError(f"{jobs[0]} is a job and not the only file", "name one job, or data files alone")
    from ftctl.job.load import load

    return of_job(load(jobs[0], ()))


def of_job(job: Job) -> Asked:
    """The data of a job."""
    if job.data is None:
        raise UsageError(f"{job.shown}: it has no data", "name a job with a data block, or data files")
    task = job.train.task if job.train is not None else None
    length = job.train.max_length if job.train is not None else None
    if task in RETRIEVAL:
        from ftctl.data.of_job import wanted_of

        wanted, held_out = wanted_of(job, False), wanted_of(job, True)
        data = job.data
        return Asked(data.train, data.eval, task, _folder(job), None, wanted, held_out, overlap=data.overlap)
    others = (*job.data.test, *(() if job.evaluate is None else job.evaluate.data))
    return Asked(
        job.data.train, job.data.eval, task, _folder(job), length, others=others, overlap=job.data.overlap
    )


def _folder(job: Job) -> Path | None:
    """The model's folder: its own, or the one in the local cache."""
    if job.model.local:
        return Path(job.model.path)
    from ftctl.facts.hub_cache import snapshot

    try:
        return snapshot(job.model.path, job.model.revision, os.environ)
    except UsageError:
        return None


def dataset_of(path: Path, form: str, columns: Sequence[str], threshold: float | None = None) -> Dataset:
    """A file as options describe it, `columns` written as NAME=COLUMN. Raises UsageError."""
    if form not in ("auto", *FORMATS):
        raise UsageError(f"--format {form}: no such format", f"write one of {', '.join(FORMATS)}")
    pairs = [column.partition("=") for column in columns]
    if wrong := [
        whole for whole, (key, _, value) in zip(columns, pairs, strict=True) if not key or not value
    ]:
        raise UsageError(f"--column {wrong[0]}: no column", "write for example --column query=question")
    return Dataset(path, form, {key: value for key, _, value in pairs}, threshold=threshold)
