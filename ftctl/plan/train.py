"""Plan the training: devices, batch, precision, learning rate, each with its reason."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ftctl.errors import Problem
from ftctl.facts.model import Facts, MachineFacts, ModelFacts
from ftctl.job.model import Job, Train, problem_at
from ftctl.plan.batch import Batch, NoFit, split
from ftctl.plan.devices import choose_devices
from ftctl.plan.model import Choice, TrainPlan

# Usual starting points: adapters take about ten times the rate of whole weights (LLaMA-Factory's own
# examples: 1.0e-4 for LoRA, 1.0e-5 for full-parameter SFT).
LEARNING_RATES = {"lora": 1e-4, "full": 1e-5, "freeze": 1e-5}
DEFAULT_BATCH = 16


@dataclass
class Decisions:
    """What has been decided so far, and what turned out to be impossible."""

    job: Job
    choices: list[Choice]
    problems: list[Problem]

    def chose(self, key: str, value: object, reason: str) -> None:
        self.choices.append(Choice(key, str(value), reason))

    def refuse(self, key: str, message: str, remedy: str = "") -> None:
        self.problems.append(problem_at(self.job, key, message, remedy))


def plan_train(
    job: Job, train: Train, facts: Facts, templates: frozenset[str]
) -> tuple[TrainPlan, Decisions]:
    """Decide everything that training needs. `templates` are the names that the engine knows.

    Problems are returned in the decisions; the plan is meaningless where there are any. Raises
    errors.Missing where the GPUs asked for are not there.
    """
    made = Decisions(job, [], [])
    made.chose(
        "train.engine", "llamafactory", "it trains language models" if train.engine == "auto" else "set"
    )
    devices = _devices(job, facts.machine, made)
    world = len(devices) or job.resources.processes
    batch = _batch(train, facts.model, world, bool(devices), made)
    plan = TrainPlan(
        engine="llamafactory",
        devices=devices,
        world_size=world,
        micro_batch_size=batch.micro,
        accumulation=batch.accumulation,
        batch_size=batch.size,
        learning_rate=_learning_rate(train, made),
        precision=_precision(train, facts, devices, made),
        template=_template(job, facts.model, templates, made),
        steps_per_epoch=_steps(job, facts, batch, made),
        gradient_checkpointing=_checkpointing(train, facts.model, devices, made),
    )
    return plan, made


def _devices(job: Job, machine: MachineFacts, made: Decisions) -> tuple[int, ...]:
    devices, reason = choose_devices(job.resources.gpus, machine)
    made.chose("resources.gpus", ",".join(map(str, devices)) or "0 (the CPU)", reason)
    if job.resources.processes > 1 and devices:
        made.refuse("resources.processes", "is for the CPU; on GPUs there is one process each", "remove it")
    return devices


def _batch(train: Train, model: ModelFacts, world: int, on_gpu: bool, made: Decisions) -> Batch:
    asked = train.batch_size or DEFAULT_BATCH * (math.ceil(world / DEFAULT_BATCH))
    result = split(asked, world, train.micro_batch_size, _largest_micro(model, on_gpu))
    if isinstance(result, NoFit):
        made.refuse(
            "train.batch_size" if train.batch_size else "train.micro_batch_size",
            f"{asked} is not micro batch {result.micro} × accumulation × {world} devices",
            f"the nearest that fit are {' and '.join(map(str, result.nearest))}",
        )
        return Batch(1, 1, world)
    if train.batch_size is None:
        made.chose("train.batch_size", result.size, "the default; global, over all devices")
    formula = f"{result.size} = {result.micro} × {result.accumulation} × {world}"
    limit = "set" if train.micro_batch_size else "the largest divisor that suits a model of this size"
    made.chose("train.micro_batch_size", result.micro, f"{limit}: {formula}")
    return result


def _largest_micro(model: ModelFacts, on_gpu: bool) -> int:
    """The largest micro batch that is tried, by parameters: a start, not an estimate of memory."""
    size = model.parameters
    if size is None:
        return 1
    if size <= 100_000_000:
        return 16
    if not on_gpu:
        return 1
    return 8 if size <= 1_000_000_000 else 2 if size <= 4_000_000_000 else 1


def _learning_rate(train: Train, made: Decisions) -> float:
    if train.learning_rate is not None:
        return train.learning_rate
    rate = LEARNING_RATES[train.method]
    made.chose("train.learning_rate", rate, f"the usual start for {train.method}")
    return rate


def _precision(train: Train, facts: Facts, devices: tuple[int, ...], made: Decisions) -> str:
    """The CPU trains in fp32 unless half-precision weights are frozen beside trained ones."""
    asked = train.precision
    if devices:
        old = [gpu for gpu in facts.machine.gpus if gpu.index in devices and (gpu.capability or 8.0) < 8.0]
        if asked == "bf16" and old:
            made.refuse("train.precision", f"{old[0].name} has no bf16", "write fp16 or auto")
        if asked != "auto":
            return asked
        choice = "fp16" if old else "bf16"
        made.chose("train.precision", choice, "the GPU is older than Ampere" if old else "the GPU has bf16")
        return choice
    if asked == "fp16":
        made.refuse("train.precision", "fp16 does nothing on the CPU", "write fp32 or bf16")
    if asked != "auto":
        return asked
    if train.method == "freeze" and facts.model.dtype == "bfloat16":
        made.chose("train.precision", "bf16", "freeze tuning of bf16 weights needs autocast on the CPU")
        return "bf16"
    made.chose("train.precision", "fp32", "the CPU trains fastest and exactly in it")
    return "fp32"


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
    rows = sum(
        min(fact.rows, dataset.max_samples or fact.rows)
        for dataset, fact in zip(data.train, facts.train_data, strict=False)
    )
    held_out = data.eval_share or 0
    rows -= math.ceil(rows * held_out) if held_out < 1 else int(held_out)
    steps = math.ceil(rows / batch.size) if rows > 0 else 0
    if steps:
        made.chose("steps per epoch", steps, f"{rows} rows in batches of {batch.size}")
    elif facts.train_data:
        made.refuse(
            "data.eval", f"holds out {held_out} of the rows and leaves none to train on", "hold out fewer"
        )
    return steps


def _checkpointing(train: Train, model: ModelFacts, devices: tuple[int, ...], made: Decisions) -> bool:
    if train.gradient_checkpointing is not None:
        return train.gradient_checkpointing
    small = model.parameters is not None and model.parameters <= 500_000_000
    reason = "the model is small: memory is not short" if small else "it saves memory for a third more time"
    made.chose("train.gradient_checkpointing", str(not small).lower(), reason)
    return not small
