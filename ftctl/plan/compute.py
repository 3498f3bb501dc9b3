"""What every training decides, whatever its engine: devices, batch, precision, checkpointing."""

from __future__ import annotations

import math

from ftctl.facts.model import Facts, MachineFacts, ModelFacts
from ftctl.job.model import Job
from ftctl.job.training import Train
from ftctl.plan.batch import Batch, NoFit, split
from ftctl.plan.decisions import Decisions
from ftctl.plan.devices import choose_devices

DEFAULT_BATCH = 16


def devices_of(job: Job, machine: MachineFacts, made: Decisions) -> tuple[int, ...]:
    devices, reason = choose_devices(job.resources.gpus, machine)
    made.chose("resources.gpus", ",".join(map(str, devices)) or "0 (the CPU)", reason)
    if job.resources.processes > 1 and devices:
        made.refuse("resources.processes", "is for the CPU; on GPUs there is one process each", "remove it")
    return devices


def batch_of(train: Train, world: int, largest: int, made: Decisions) -> Batch:
    asked = train.batch_size or DEFAULT_BATCH * (math.ceil(world / DEFAULT_BATCH))
    result = split(asked, world, train.micro_batch_size, largest)
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


def largest_micro(model: ModelFacts, on_gpu: bool) -> int:
    """The largest micro batch that is tried, by parameters: a start, not an estimate of memory."""
    size = model.parameters
    if size is None:
        return 1
    if size <= 100_000_000:
        return 16
    if not on_gpu:
        return 1
    return 8 if size <= 1_000_000_000 else 2 if size <= 4_000_000_000 else 1


def precision_of(train: Train, facts: Facts, devices: tuple[int, ...], made: Decisions) -> str:
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


def rows_of(job: Job, facts: Facts) -> int:
    """Rows that are trained on, before any are held out."""
    if job.data is None:
        return 0
    return sum(
        min(fact.examples or fact.rows, dataset.max_samples or fact.rows)
        for dataset, fact in zip(job.data.train, facts.train_data, strict=False)
    )


def checkpointing_of(train: Train, model: ModelFacts, made: Decisions) -> bool:
    if train.gradient_checkpointing is not None:
        return train.gradient_checkpointing
    small = model.parameters is not None and model.parameters <= 500_000_000
    reason = "the model is small: memory is not short" if small else "it saves memory for a third more time"
    made.chose("train.gradient_checkpointing", str(not small).lower(), reason)
    return not small
