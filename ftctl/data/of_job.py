"""Looks at the data that a job names: the facts that the plan needs, and everything wrong or odd."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
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
from ftctl.job.model import Dataset, Job, problem_at
from ftctl.job.training import RETRIEVAL

if TYPE_CHECKING:
    from ftctl.data.overlap import Meeting, Watched
    from ftctl.facts.retrieval_pass import Wanted

QUICK = 4_000_000  # bytes of a tokenizer.json that loads in a tenth of a second

Looked = list[tuple[Dataset, Survey, Suspects | None, "Meeting | None"]]


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
    against = _watched(job, asked)
    named = tuple(one.name for one in against)

    def look(datasets: tuple[Dataset, ...], held_out: bool) -> Looked:
        wanted, watched = wanted_of(job, held_out), [] if held_out else against
        read = partial(_read, task=task, length=length, watch=watch, wanted=wanted, against=watched)
        keys = [("data", task, length, wanted, repr(one), () if held_out else named) for one in datasets]
        return [(d, *asked.once(key, partial(read, d))) for d, key in zip(datasets, keys, strict=True)]

    train, held_out = look(job.data.train, False), look(job.data.eval, True)
    warnings = [warning for _, found, *_ in (*train, *held_out) for warning in found.warnings]
    warnings += _cut(job, [suspects for *_, suspects, _ in train if suspects is not None])
    problems = [problem for _, found, *_ in (*train, *held_out) for problem in found.problems]
    for said in _overlapping(job.data.overlap, train, held_out):
        (problems if said.level == "error" else warnings).append(said)
    problems += _prompts(wanted_of(job, False), _facts(train))
    return JobData(_facts(train), _facts(held_out), tuple(problems), tuple(sorted(warnings)))


def _watched(job: Job, asked: Asked) -> list[Watched]:
    """The files to evaluate on that training rows are held against, each read once."""
    data, evaluated = job.data, () if job.evaluate is None else job.evaluate.data
    if data is None or data.overlap == "allow" or (job.train is not None and job.train.task in RETRIEVAL):
        return []
    held = {repr(one): one for one in (*data.eval, *data.test, *evaluated)}
    if not held or not data.train:
        return []
    from ftctl.data.overlap import Watched  # few jobs name files to evaluate on

    return [asked.once(("held out", name), partial(Watched, one)) for name, one in held.items()]


def _overlapping(policy: str, train: Looked, held_out: Looked) -> Iterator[Problem]:
    """Rows to evaluate on that are in the training rows too; of queries with passages, the queries."""
    if policy == "allow":
        return
    known = [(dataset.path, found.held_against) for dataset, found, *_ in train]
    for dataset, found, *_ in held_out:
        if found.queries is not None:
            yield from overlap((dataset.path, found.held_against), known, policy, found.unit)
    for dataset, *_, meeting in train:
        yield from () if meeting is None else meeting.problems(dataset.path, policy)


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
    return tuple(found.facts for _, found, *_ in looked if found.facts is not None)


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
    dataset: Dataset,
    *,
    task: str | None,
    length: int | None,
    watch: Watch | None,
    wanted: Wanted | None,
    against: Sequence[Watched],
) -> tuple[Survey, Suspects | None, Meeting | None]:
    suspects = None if length is None else Suspects(length)
    meeting = _meeting(against)
    found = survey(
        dataset,
        task,
        watch=watch,
        wanted=wanted,
        see=None if suspects is None else lambda _, texts: suspects.see(texts),
        spoken=None if meeting is None else meeting.see,
    )
    return found, suspects, meeting


def _meeting(against: Sequence[Watched]) -> Meeting | None:
    if not against:
        return None
    from ftctl.data.overlap import Meeting

    return Meeting(against)


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
