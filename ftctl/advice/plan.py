"""What of a plan lies outside the practice that guides give: one function a note, by the note's name.

It is asked of every valid job, so it imports nothing heavy; what there is to say stands in `advice/table`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from ftctl.job.training import RETRIEVAL, Train
from ftctl.plan.compute import rows_of
from ftctl.plan.model import Plan

EPOCHS = (1, 3)
RANKS = (4, 64)
ADAPTER_RATES = (1e-5, 5e-4)
WEIGHT_RATES = (5e-6, 5e-5)
PREFERENCE_RATES = (5e-7, 5e-5)
PREFERENCES = ("dpo", "kto", "ppo")
FEW, MANY = 300, 1000  # rows
# Bytes of GPU memory for a parameter of the model. LoRA holds the weights in 16 bits and the activations
# (LLaMA-Factory counts 2, Unsloth's table comes to 2.4 to 2.8); full training also gradients and optimizer.
LORA_BYTES, FULL_BYTES = 2.5, 18
SMALL = 100_000_000  # parameters: guides speak of larger models

Look = Callable[[Plan, Train], str | None]


def rates(train: Train) -> tuple[float, float, str]:
    """The learning rates between which guides stay, and what for."""
    if train.task in PREFERENCES:
        return (*PREFERENCE_RATES, train.task.upper())
    if train.method in ("lora", "oft"):
        return (*ADAPTER_RATES, "adapters")
    return (*WEIGHT_RATES, "whole weights")


def advised(plan: Plan) -> Plan:
    """The plan with the notes that it calls for, those that its job silences apart."""
    found = [*look(plan)]
    if not found:
        return plan
    from ftctl.advice.told import told  # few jobs call for any

    notes = sorted(told(plan.job, name, seen) for name, seen in found)
    quiet = tuple(note for note in notes if note.rule in plan.job.silence)
    loud = tuple(note for note in notes if note not in quiet)
    return replace(plan, notes=loud, silenced=plan.silenced + quiet)


def look(plan: Plan) -> Iterator[tuple[str, str]]:
    """The name of every note that the plan calls for, with what was seen.

    Embedders and rerankers have their own practice, which none of these notes is about.
    """
    train = plan.job.train
    if train is None or plan.train is None or train.task in RETRIEVAL:
        return
    for name, seen in LOOKS.items():
        said = seen(plan, train)
        if said is not None:
            yield name, said


def _rate_high(plan: Plan, train: Train) -> str | None:
    low, high, what = rates(train)
    return _rate(plan, f"is over the {low:g} to {high:g} that guides take for {what}", above=high)


def _rate_low(plan: Plan, train: Train) -> str | None:
    low, high, what = rates(train)
    return _rate(plan, f"is under the {low:g} to {high:g} that guides take for {what}", below=low)


def _rate(plan: Plan, said: str, *, above: float = float("inf"), below: float = 0.0) -> str | None:
    rate = plan.train.learning_rate if plan.train is not None else below
    return None if _small(plan) or below <= rate <= above else f"{rate:g} {said}"


def _epochs_many(plan: Plan, train: Train) -> str | None:
    epochs = _epochs(plan, train)
    if epochs is None or epochs <= EPOCHS[1] or train.early_stopping is not None:
        return None
    return f"{epochs:.4g} epochs are more than the {EPOCHS[0]} to {EPOCHS[1]} that guides take"


def _epochs_few(plan: Plan, train: Train) -> str | None:
    epochs = _epochs(plan, train)
    if train.task != "sft" or epochs is None or epochs >= EPOCHS[0]:
        return None
    return f"{epochs:.2g} of an epoch leaves rows out that the model then never sees"


def _epochs(plan: Plan, train: Train) -> float | None:
    """How often the rows are seen; None where only steps are known."""
    if train.max_steps is None:
        return train.epochs
    steps = plan.train.steps_per_epoch if plan.train is not None else None
    return train.max_steps / steps if steps else None


def _rank_low(plan: Plan, train: Train) -> str | None:
    if train.method != "lora" or train.lora.rank >= RANKS[0]:
        return None
    return f"rank {train.lora.rank} is under the {RANKS[0]} to {RANKS[1]} that guides take"


def _rank_high(plan: Plan, train: Train) -> str | None:
    if train.method != "lora" or train.lora.rank <= RANKS[1]:
        return None
    return f"rank {train.lora.rank} is over the {RANKS[0]} to {RANKS[1]} that guides take"


def _alpha(plan: Plan, train: Train) -> str | None:
    """With rsLoRA the scale is alpha / √rank, and a smaller alpha is in order."""
    lora = train.lora
    if train.method != "lora" or lora.rslora or lora.alpha is None or lora.alpha >= lora.rank:
        return None
    return (
        f"alpha {lora.alpha} is under rank {lora.rank}: the adapter counts {lora.alpha / lora.rank:.2g}-fold"
    )


def _few_rows(plan: Plan, train: Train) -> str | None:
    return _rows_for(plan, train, "base", lambda rows: rows < FEW, f"fewer than {FEW}")


def _many_rows(plan: Plan, train: Train) -> str | None:
    return _rows_for(plan, train, "instruct", lambda rows: rows > MANY, f"more than {MANY}")


def _rows_for(plan: Plan, train: Train, kind: str, fits: Callable[[int], bool], than: str) -> str | None:
    """What a kind of model is trained on, where its rows call for the other kind."""
    rows = rows_of(plan.job, plan.facts)
    if train.task != "sft" or not rows or not fits(rows) or _small(plan):
        return None
    from ftctl.advice.origin import origin  # it compiles patterns, for few jobs

    found = origin(plan.job.model.path, plan.facts.model.has_chat_template)
    return f"{rows} rows, {than}, for {found.words}" if found is not None and found.kind == kind else None


def _memory(plan: Plan, train: Train) -> str | None:
    """LoRA or full training of weights in 16 bits that the GPU cannot hold; where sizes are known."""
    devices = plan.train.devices if plan.train is not None else ()
    memories = [gpu.memory for gpu in plan.facts.machine.gpus if gpu.index in devices and gpu.memory]
    if train.quantization is not None or not memories or train.method == "freeze":
        return None
    from ftctl.advice.origin import size  # it compiles patterns, for jobs on a known GPU

    parameters = size(plan.facts.model)
    if parameters is None:
        return None
    split = len(memories) if {"deepspeed", "fsdp"} & set(train.native) else 1
    method = "full training" if train.method == "full" else "LoRA"
    need = parameters * (LORA_BYTES if method == "LoRA" else FULL_BYTES)
    if need <= min(memories) * split:
        return None
    have = f"{min(memories) * split / 2**30:.0f} GiB"
    return (
        f"{method} of {parameters / 1e9:.3g} billion parameters takes about {need / 2**30:.0f} GiB, "
        f"and there are {have}"
    )


def _small(plan: Plan) -> bool:
    parameters = plan.facts.model.parameters
    return parameters is not None and parameters < SMALL


LOOKS: Mapping[str, Look] = {
    "learning-rate-high": _rate_high,
    "learning-rate-low": _rate_low,
    "epochs-many": _epochs_many,
    "epochs-few": _epochs_few,
    "lora-rank-low": _rank_low,
    "lora-rank-high": _rank_high,
    "lora-alpha-low": _alpha,
    "base-with-few-rows": _few_rows,
    "instruct-with-many-rows": _many_rows,
    "memory-short": _memory,
}
