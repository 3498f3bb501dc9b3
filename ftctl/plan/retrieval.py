"""Plan the training of an embedder or a reranker with FlagEmbedding, or as if with it for the dummy."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from typing import Any

from ftctl.facts.model import Facts, ModelFacts
from ftctl.job.model import Job
from ftctl.job.native import SAME
from ftctl.job.training import Retrieval, Train
from ftctl.plan.batch import Batch
from ftctl.plan.compute import batch_of, checkpointing_of, devices_of, precision_of, rows_of
from ftctl.plan.decisions import Decisions
from ftctl.plan.lengths import choose_lengths
from ftctl.plan.model import RetrievalPlan, TrainPlan
from ftctl.plan.variant import choose_variant

ADAPTER_RATE = 1e-4
# The usual starts for encoders: FlagEmbedding's examples take 1e-5, and small ones learn at twice it.
SMALL_RATE, RATE = 2e-5, 1e-5
SMALL = 100_000_000  # parameters
POOLINGS = ("cls", "mean", "last_token")


def plan_retrieval(job: Job, train: Train, facts: Facts, made: Decisions) -> TrainPlan:
    """Decide everything that FlagEmbedding needs; native arguments count as if they were the job's keys."""
    reason = "it trains embedders and rerankers" if train.engine == "auto" else "set"
    made.chose("train.engine", train.trainer, reason)
    devices = devices_of(job, facts.machine, made)
    world = len(devices) or job.resources.processes
    variant = choose_variant(train, facts.model, made)
    method = _method(job, train, variant, made)
    if train.attention == "fa2" and variant.startswith("encoder"):
        made.refuse("train.attention", "fa2 is for FlagEmbedding's decoders alone", "remove it")
    batch = batch_of(train, world, _largest_micro(facts.model, bool(devices)), made)
    return TrainPlan(
        engine=train.trainer,
        devices=devices,
        world_size=world,
        micro_batch_size=batch.micro,
        accumulation=batch.accumulation,
        batch_size=batch.size,
        learning_rate=_learning_rate(train, method, facts.model, made),
        precision=precision_of(train, facts, devices, made),
        template=None,
        steps_per_epoch=_steps(job, train, facts, batch, variant, made),
        gradient_checkpointing=checkpointing_of(train, facts.model, made),
        retrieval=_retrieval(train, facts.model, variant, method, world, made),
    )


def _retrieval(
    train: Train, model: ModelFacts, variant: str, method: str, world: int, made: Decisions
) -> RetrievalPlan:
    asked = with_native(train)
    query, passage = choose_lengths(train.task, variant, asked, model.retrieval, made)
    vectors = train.task == "embedding"
    _heads(train, variant, made)
    prompt = _instruction(asked, model, made) if vectors else asked.query_instruction or None
    return RetrievalPlan(
        variant=variant,
        method=method,
        train_group_size=asked.train_group_size,
        query_max_length=query,
        passage_max_length=passage,
        temperature=asked.temperature if vectors else None,
        pooling=_pooling(asked, model, variant, made) if vectors else None,
        normalize=_normalize(asked, model, made) if vectors else None,
        query_instruction=prompt,
        passage_instruction=_passage_instruction(train, model, made),
        negatives_across_devices=_negatives(asked, world, made),
        distillation=asked.distillation,
    )


def _heads(train: Train, variant: str, made: Decisions) -> None:
    """Say what becomes of m3's other two heads, which are trained and saved only where that is asked for."""
    if variant == "encoder-only-m3" and "unified_finetuning" not in train.native:
        what = "dense vectors alone are trained and served; true trains m3's sparse and colbert heads too"
        made.chose("train.native.unified_finetuning", "false", what)


def with_native(train: Train) -> Retrieval:
    """What the job asks for, whether it says so by its own keys or by the engine's under `native`."""
    names = {field.name for field in fields(Retrieval)}
    given: dict[str, Any] = {}
    for argument, value in train.native.items():
        keys = SAME["flagembedding"].get(argument, ())
        given |= {key[6:]: value for key in keys if key[6:] in names and value is not None}
    return replace(train.retrieval, **given)


def _method(job: Job, train: Train, variant: str, made: Decisions) -> str:
    written = "train.method" in job.written
    if variant.startswith("decoder"):
        if not written:
            made.chose("train.method", train.method, "the usual for a decoder")
        return train.method
    if written and train.method != "full":
        what = f"{train.method} does not go with an encoder: FlagEmbedding adapts decoders alone"
        made.refuse("train.method", what, "write full, or remove it")
    elif not written:
        made.chose("train.method", "full", "FlagEmbedding trains an encoder whole")
        if any(key.startswith("train.lora") for key in job.written):
            made.refuse("train.lora", "is set, and an encoder is trained whole", "remove it")
    if job.deploy is not None and job.deploy.adapter == "attach" and "deploy.adapter" in job.written:
        made.refuse("deploy.adapter", "is attach, and this training makes no adapter", "remove it")
    return "full"


def _largest_micro(model: ModelFacts, on_gpu: bool) -> int:
    """The largest micro batch that is tried; the passages of one serve each other's queries as negatives."""
    size = model.parameters
    if size is None or size > SMALL:
        return 4 if size is None or size <= 1_000_000_000 else 2 if on_gpu else 1
    return 16


def _learning_rate(train: Train, method: str, model: ModelFacts, made: Decisions) -> float:
    if train.learning_rate is not None:
        return train.learning_rate
    if method == "lora":
        made.chose("train.learning_rate", ADAPTER_RATE, "the usual start for lora")
        return ADAPTER_RATE
    small = model.parameters is not None and model.parameters <= SMALL
    rate = SMALL_RATE if small else RATE
    made.chose("train.learning_rate", rate, f"the usual start for {'small' if small else 'whole'} models")
    return rate


def _pooling(asked: Retrieval, model: ModelFacts, variant: str, made: Decisions) -> str:
    if asked.pooling is not None:
        return asked.pooling
    own = model.retrieval.pooling
    if own in POOLINGS:
        made.chose("train.pooling", own, "as the model's own 1_Pooling says")
        return str(own)
    if own is not None:
        what = f"the model pools by {own}, which FlagEmbedding does not train"
        made.refuse("train.pooling", what, f"set it to {', '.join(POOLINGS)}: the vectors will be others")
    usual = "cls" if variant.startswith("encoder") else "last_token"
    made.chose("train.pooling", usual, f"the usual for {variant}; the model itself does not say")
    return usual


def _normalize(asked: Retrieval, model: ModelFacts, made: Decisions) -> bool:
    if asked.normalize is not None:
        return asked.normalize
    own = model.retrieval.normalize
    reason = "the usual; the model itself does not say" if own is None else "as the model's modules.json says"
    made.chose("train.normalize", str(own is not False).lower(), reason)
    return own is not False


def _instruction(asked: Retrieval, model: ModelFacts, made: Decisions) -> str | None:
    if asked.query_instruction is not None:
        return asked.query_instruction or None
    own = model.retrieval.query_prompt
    reason = "the model's own prompt for queries" if own else "none is asked for, and the model names none"
    made.chose("train.query_instruction", repr(own) if own else "none", reason)
    return own


def _passage_instruction(train: Train, model: ModelFacts, made: Decisions) -> str | None:
    kind = "retrieval" if train.task == "embedding" else "rerank"
    name = f"passage_instruction_for_{kind}"
    if name in train.native:
        return train.native[name] or None
    own = model.retrieval.passage_prompt if train.task == "embedding" else None
    if own:
        made.chose(f"train.native.{name}", repr(own), "the model's own prompt for passages")
    return own


def _negatives(asked: Retrieval, world: int, made: Decisions) -> bool:
    if asked.negatives_across_devices and world == 1:
        made.chose("train.negatives_across_devices", "false", "one process has no others to share with")
    return asked.negatives_across_devices and world > 1


def _steps(job: Job, train: Train, facts: Facts, batch: Batch, variant: str, made: Decisions) -> int | None:
    """Optimizer steps of one epoch. Rerankers and decoder-only-icl leave the last, smaller batch out."""
    rows = rows_of(job, facts) - _held_out(job, facts, made)
    if not rows_of(job, facts) or rows <= 0:
        return None
    whole = batch.size // batch.accumulation
    dropped = train.task == "reranker" or variant == "decoder-only-icl"
    steps = math.ceil(rows // whole / batch.accumulation) if dropped else math.ceil(rows / batch.size)
    if not steps:
        what = f"a batch of {whole} does not fill from {rows} rows, and FlagEmbedding needs whole ones here"
        made.refuse("train.batch_size" if train.batch_size else "train.micro_batch_size", what, "write less")
    more = ", the last one only if it is whole" if dropped else ""
    made.chose("steps per epoch", steps, f"{rows} rows in batches of {batch.size}{more}")
    return steps


def _held_out(job: Job, facts: Facts, made: Decisions) -> int:
    """Queries that are held out: at least one (`data/convert.py` counts distinct ones, of which few repeat).

    A job without a deployment has no endpoint that they could be measured through.
    """
    data = job.data
    if data is None or not (data.eval or data.eval_share):
        return 0
    if job.deploy is None:
        made.chose("data.eval", "not measured", "there is no deploy: block, so there is no endpoint to ask")
    else:
        made.chose("data.eval", "measured", "through the deployment, and the base model beside it")
    rows, share = rows_of(job, facts), data.eval_share or 0
    held_out = int(share) if share >= 1 else max(1, round(share * rows)) if share else 0
    if rows and held_out >= rows:
        what = f"holds out {held_out} of {rows} rows and leaves none to train on"
        made.refuse("data.eval", what, "hold out fewer")
    return held_out
