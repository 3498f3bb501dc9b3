"""How many rows of each training file are held out, to evaluate on and to test."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ftctl.facts.model import Facts
from ftctl.job.model import Job
from ftctl.job.training import RETRIEVAL

Quota = tuple[int, int]  # rows that a file gives: to evaluate on while training, and to ask the served model


def parted(job: Job) -> bool:
    """Whether ftctl holds rows of the training files out itself, before the training.

    Of queries with passages `data/convert.py` does, by query.
    """
    data, train = job.data, job.train
    held_out = data is not None and (data.eval_share is not None or data.test_share is not None)
    return held_out and train is not None and train.task not in RETRIEVAL


def taken(job: Job, facts: Facts) -> tuple[int, ...]:
    """Rows of each training file that are taken, before any are held out."""
    if job.data is None:
        return ()
    pairs = zip(job.data.train, facts.train_data, strict=False)
    return tuple(min(fact.rows, dataset.max_samples or fact.rows) for dataset, fact in pairs)


def quotas(job: Job, facts: Facts) -> tuple[Quota, ...]:
    """What each training file gives."""
    rows, data = taken(job, facts), job.data
    if data is None or not parted(job):
        return tuple((0, 0) for _ in rows)
    return tuple(zip(shared(rows, data.eval_share), shared(rows, data.test_share), strict=True))


def shared(rows: Sequence[int], asked: float | int | None) -> tuple[int, ...]:
    """A share (below 1) of each file's rows, rounded up, or a count over all; each gives one at least."""
    if not asked:
        return (0,) * len(rows)
    if asked < 1:
        return tuple(math.ceil(round(asked * count, 9)) for count in rows)
    exact = [asked * count / max(1, sum(rows)) for count in rows]
    given = [max(1, math.floor(part)) for part in exact]
    order = sorted(range(len(rows)), key=lambda at: (given[at] - exact[at], at))
    for at in order[: max(0, int(asked) - sum(given))]:
        given[at] += 1
    return tuple(given)
