"""Which checkpoints stay, whether the best can be told, and whether the disk has room for them all."""

from __future__ import annotations

import math

from ftctl.facts.model import Facts
from ftctl.job.model import Job
from ftctl.job.training import RETRIEVAL, Train
from ftctl.plan.decisions import Decisions
from ftctl.plan.model import TrainPlan

GIB = 2**30
STATES = {"sgd": 0, "adafactor": 0}  # optimizer: numbers that it keeps of a parameter; 2 where not named


def check_retention(job: Job, train: Train, facts: Facts, decided: TrainPlan, made: Decisions) -> None:
    """Refuse a best that nobody measures, and checkpoints that the disk has no room for."""
    _check_best(job, train, made)
    _check_room(job, train, facts, decided, made)


def _check_best(job: Job, train: Train, made: Decisions) -> None:
    """transformers wants evaluation and saving in one rhythm where it keeps the best checkpoint."""
    kept = train.checkpoints
    asked = [
        key
        for key, value in (
            ("train.checkpoints.keep_best", kept.keep_best),
            ("train.early_stopping", train.early_stopping),
        )
        if value is not None
    ]
    for key in asked:
        if train.task in RETRIEVAL:
            made.refuse(key, "FlagEmbedding does not evaluate while it trains", "remove it")
        elif job.data is not None and job.data.eval_share is None and not job.data.eval:
            made.refuse(key, "needs rows to evaluate on", "set data.eval, 0.05 say")
    if kept.keep_best is None:
        return
    if kept.every == "never":
        made.refuse(
            "train.checkpoints.keep_best", "no checkpoint is written", "set every to epoch or to steps"
        )
    elif train.eval_every is not None and not _in_step(kept.every, train.eval_every):
        made.refuse(
            "train.checkpoints.keep_best",
            f"checkpoints every {kept.every} and evaluations every {train.eval_every} do not meet",
            "leave train.eval_every out, or make train.checkpoints.every a multiple of it",
        )


def _in_step(every: int | str, evaluated: int | str) -> bool:
    if isinstance(every, int) and isinstance(evaluated, int):
        return every % evaluated == 0
    return every == evaluated


def _check_room(job: Job, train: Train, facts: Facts, decided: TrainPlan, made: Decisions) -> None:
    """Adapters are small and are not counted; of a model that is not local the size is not known."""
    method = train.method if decided.retrieval is None else decided.retrieval.method
    weights, free = facts.model.weight_bytes, facts.machine.disk_free
    if weights is None:
        return
    if method == "lora":
        merged = job.deploy is None or job.deploy.adapter == "merge"
        if merged and weights > free:
            made.refuse("train.checkpoints", _short(weights, free, "the merged model"), _remedy("make room"))
        return
    state = _state(train, method, weights)
    count = _count(train, decided)
    need = count * (weights + state) + weights
    if need > free:
        said = f"{count} checkpoints of {(weights + state) / GIB:.1f} GiB and the result"
        made.refuse(
            "train.checkpoints", _short(need, free, said), _remedy("lower keep, set weights_only: true")
        )


def _state(train: Train, method: str, weights: int) -> int:
    """Bytes of the optimizer's state that a checkpoint holds, in the type of the weights: Adam's two moments.

    Of freeze tuning nothing is counted, for most of the model has none.
    """
    if train.checkpoints.weights_only or method == "freeze":
        return 0
    return STATES.get(train.optimizer, 2) * weights


def _count(train: Train, decided: TrainPlan) -> int:
    """The most checkpoints that lie there at once: a new one is written before the oldest goes."""
    kept = train.checkpoints
    if kept.every == "never":
        return 0
    limit = 1 if kept.keep is None else kept.keep + 1
    written = _written(train, decided)
    if written is None:
        return limit
    return written if kept.keep is None else min(written, limit)


def _written(train: Train, decided: TrainPlan) -> int | None:
    """How many checkpoints the whole training writes; None where its length is not known."""
    every, steps = train.checkpoints.every, decided.steps_per_epoch
    total = (
        train.max_steps if steps is None or train.max_steps is not None else math.ceil(steps * train.epochs)
    )
    if isinstance(every, int):
        return None if total is None else math.ceil(total / every)
    if train.max_steps is None:
        return math.ceil(train.epochs)
    return None if steps is None else math.ceil(train.max_steps / steps)


def _short(need: int, free: int, what: str) -> str:
    return f"{what} take {need / GIB:.1f} GiB, and {free / GIB:.1f} GiB of the disk are free"


def _remedy(first: str) -> str:
    return f"{first}, or choose another --runs-dir"
