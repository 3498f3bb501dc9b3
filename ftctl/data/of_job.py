"""Looks at the data that a job names: the facts that the plan needs, and everything wrong or odd."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ftctl.data.cut import Suspects
from ftctl.errors import Problem, UsageError
from ftctl.facts.asked import Asked
from ftctl.facts.datasets import Survey, Watch, survey
from ftctl.facts.model import DatasetFacts
from ftctl.facts.oddities import overlap
from ftctl.job.model import RETRIEVAL, Dataset, Job, problem_at

if TYPE_CHECKING:
    from ftctl.facts.retrieval_pass import Wanted

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

    def look(datasets: tuple[Dataset, ...], held_out: bool) -> Looked:
        wanted = wanted_of(job, held_out)
        read = partial(_read, task=task, length=length, watch=watch, wanted=wanted)
        keys = [("data", task, length, wanted, repr(dataset)) for dataset in datasets]
        return [(d, *asked.once(key, partial(read, d))) for d, key in zip(datasets, keys, strict=True)]

    train, held_out = look(job.data.train, False), look(job.data.eval, True)
    known = [(dataset.path, found.held_against) for dataset, found, _ in train]
    warnings = [warning for _, found, _ in (*train, *held_out) for warning in found.warnings]
    for dataset, found, _ in held_out:
        warnings += overlap((dataset.path, found.held_against), known, found.unit)
    warnings += _cut(job, [suspects for _, _, suspects in train if suspects is not None])
    problems = [problem for _, found, _ in (*train, *held_out) for problem in found.problems]
    problems += _prompts(wanted_of(job, False), _facts(train))
    return JobData(_facts(train), _facts(held_out), tuple(problems), tuple(sorted(warnings)))


def wanted_of(job: Job, held_out: bool) -> Wanted | None:
    """What a job asks of the rows of an embedder or a reranker; None for other tasks."""
    if job.train is None or job.train.task not in RETRIEVAL:
        return None
    from ftctl.facts.retrieval_pass import Wanted

    asked = job.train.retrieval
    return Wanted(
        job.train.task,
        asked.train_group_size,
        asked.distillation,
        _instruction(job) if asked.query_instruction is None else asked.query_instruction,
        held_out,
    )


def _instruction(job: Job) -> str:
    """What a local embedder itself puts in front of queries, by its sentence-transformers' file."""
    own = job.model.local and job.train is not None and job.train.task == "embedding"
    try:
        file = Path(job.model.path) / "config_sentence_transformers.json"
        value = json.loads(file.read_bytes()) if own else None
        prompt = value["prompts"]["query"] if value is not None else ""
    except (OSError, ValueError, TypeError, KeyError):
        return ""
    return prompt if isinstance(prompt, str) else ""


def _prompts(wanted: Wanted | None, train: tuple[DatasetFacts, ...]) -> Iterator[Problem]:
    """Files without a prompt in their rows beside files with one, where an instruction is set."""
    without = [facts for facts in train if "prompt" not in facts.columns]
    if wanted is None or not wanted.instruction or len(without) in (0, len(train)):
        return
    other = next(facts for facts in train if "prompt" in facts.columns)
    for facts in without:
        what = (
            f'no row has a "{other.columns["prompt"]}", and those of {other.path.name} have one: the engine '
        )
        what += 'would put "None" before the query'
        remedy = 'give every row one or none, or set train.query_instruction to ""'
        yield Problem(str(facts.path), 0, 0, "", what, remedy)


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
    dataset: Dataset, *, task: str | None, length: int | None, watch: Watch | None, wanted: Wanted | None
) -> tuple[Survey, Suspects | None]:
    if length is None:
        return survey(dataset, task, watch=watch, wanted=wanted), None
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
