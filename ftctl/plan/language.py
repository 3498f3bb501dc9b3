"""Plan the training of a language model with LLaMA-Factory: its learning rate, template and steps."""

from __future__ import annotations

import math

from ftctl.facts.model import Facts, ModelFacts
from ftctl.job.model import Job
from ftctl.job.training import Train
from ftctl.plan.batch import Batch
from ftctl.plan.compute import (
    batch_of,
    checkpointing_of,
    devices_of,
    largest_micro,
    precision_of,
    rows_of,
)
from ftctl.plan.decisions import Decisions
from ftctl.plan.model import TrainPlan
from ftctl.plan.parts import quotas

NOTHING = "set: it learns nothing, takes no GPU, and says so in all that it writes"
# Usual starting points: adapters take about ten times the rate of whole weights (LLaMA-Factory's own
# examples: 1.0e-4 for LoRA, 1.0e-5 for full-parameter SFT).
LEARNING_RATES = {"lora": 1e-4, "full": 1e-5, "freeze": 1e-5}


def plan_language(
    job: Job, train: Train, facts: Facts, templates: frozenset[str], made: Decisions
) -> TrainPlan:
    """Decide everything that LLaMA-Factory needs. `templates` are the names that it knows."""
    reason = "it trains language models" if train.engine == "auto" else "set"
    made.chose("train.engine", train.trainer, NOTHING if train.trainer == "dummy" else reason)
    devices = devices_of(job, facts.machine, made)
    world = len(devices) or job.resources.processes
    batch = batch_of(train, world, largest_micro(facts.model, bool(devices)), made)
    return TrainPlan(
        engine=train.trainer,
        devices=devices,
        world_size=world,
        micro_batch_size=batch.micro,
        accumulation=batch.accumulation,
        batch_size=batch.size,
        learning_rate=_learning_rate(train, made),
        precision=precision_of(train, facts, devices, made),
        template=_template(job, facts.model, templates, made),
        steps_per_epoch=_steps(job, facts, batch, made),
        gradient_checkpointing=checkpointing_of(train, facts.model, made),
    )


def _learning_rate(train: Train, made: Decisions) -> float:
    if train.learning_rate is not None:
        return train.learning_rate
    rate = LEARNING_RATES[train.method]
    made.chose("train.learning_rate", rate, f"the usual start for {train.method}")
    return rate


def _template(job: Job, model: ModelFacts, templates: frozenset[str], made: Decisions) -> str | None:
    asked = job.model.template
    if asked is not None:
        if asked not in templates:
            made.refuse(
                "model.template",
                f"{asked!r} is not a template of LLaMA-Factory 0.9.5",
                _closest(asked, templates),
            )
        return asked
    if model.has_chat_template is False:
        made.refuse(
            "model.template",
            "the model has no chat template of its own",
            "set model.template to the one it is to be trained with, such as chatml",
        )
    made.chose("model.template", "the model's own", "its tokenizer's chat template, as servers will use it")
    return None


def _closest(asked: str, templates: frozenset[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(asked, sorted(templates), n=3, cutoff=0.5)
    listed = ", ".join(near) if near else "alpaca, chatml, gemma3, llama3, qwen3_nothink, …"
    return f"did you mean {listed}? leave it out to use the model's own"


def _steps(job: Job, facts: Facts, batch: Batch, made: Decisions) -> int | None:
    """Optimizer steps of one epoch, where the number of rows says it (packing and mixing change it)."""
    train, data = job.train, job.data
    if train is None or data is None or train.packing or data.mix != "concat":
        return None
    rows = rows_of(job, facts)
    held_out = sum(map(sum, quotas(job, facts)))
    rows -= held_out
    steps = math.ceil(rows / batch.size) if rows > 0 else 0
    if steps:
        made.chose("steps per epoch", steps, f"{rows} rows in batches of {batch.size}")
    elif facts.train_data:
        key = "data.eval" if data.eval_share is not None else "data.test"
        what = f"{held_out} of the {rows + held_out} rows are held out, which leaves none to train on"
        made.refuse(key, what, "hold out fewer")
    return steps
