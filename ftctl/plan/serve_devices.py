"""Decide which GPUs a server gets and how its ranks share them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ftctl.errors import Missing, UsageError
from ftctl.facts.model import MachineFacts
from ftctl.job.model import Deploy


@dataclass(frozen=True)
class Decided:
    """A value and why it is that."""

    value: Any
    reason: str


def visible_gpus(machine: MachineFacts) -> tuple[int, ...]:
    """The indices of the GPUs that may be used: the driver's, as CUDA_VISIBLE_DEVICES narrows them."""
    listed = tuple(gpu.index for gpu in machine.gpus)
    allowed = machine.cuda_visible_devices
    if allowed is None:
        return listed
    words = [word.strip() for word in allowed.split(",") if word.strip()]
    if not all(word.lstrip("-").isdigit() for word in words):
        raise UsageError(
            f"CUDA_VISIBLE_DEVICES={allowed} names GPUs by id", "write their indices as nvidia-smi lists them"
        )
    return tuple(int(word) for word in words if int(word) in listed)


def devices(deploy: Deploy, machine: MachineFacts, variant: str | None) -> Decided:
    """The GPUs to serve on; none means the CPU. Raises Missing for one that is not there."""
    ranks = (deploy.tensor_parallel or 1) * (deploy.pipeline_parallel or 1) * (deploy.data_parallel or 1)
    visible = visible_gpus(machine)
    asked = deploy.gpus
    if asked is None:
        if variant == "cpu" and ranks == 1:
            return Decided((), "the engine's environment is the one for the CPU")
        if not visible and ranks == 1:
            return Decided((), "no GPU is visible")
        asked, reason = ranks, "the first that are visible, one per rank"
    else:
        reason = "set in the job"
    chosen = _chosen(asked, visible)
    if chosen and variant == "cpu":
        raise Missing(
            "deploy.gpus asks for a GPU and the vllm environment is the one for the CPU",
            "install it with ftctl engines install vllm on a machine with a GPU, or set deploy.gpus: 0",
        )
    if ranks > max(len(chosen), 1):
        raise UsageError(
            f"{ranks} ranks do not fit on {len(chosen)} GPUs",
            "lower deploy.tensor_parallel, pipeline_parallel or data_parallel, or raise deploy.gpus",
        )
    return Decided(chosen, reason)


def _chosen(asked: int | str | tuple[int, ...], visible: tuple[int, ...]) -> tuple[int, ...]:
    shown = ", ".join(str(index) for index in visible) or "none"
    if asked == "all":
        return visible
    if isinstance(asked, int):
        if asked > len(visible):
            raise Missing(
                f"{asked} GPUs are asked for and {len(visible)} visible", "lower deploy.gpus; 0 is the CPU"
            )
        return visible[:asked]
    if isinstance(asked, str):
        raise UsageError(f"deploy.gpus: {asked} is no count", "write a count, a list of indices, all, or 0")
    for index in asked:
        if index not in visible:
            raise Missing(f"there is no GPU {index}", f"the visible ones: {shown}; gpus: 0 is the CPU")
    return asked


def tensor_parallel(deploy: Deploy, count: int) -> Decided:
    """Over how many of `count` GPUs each layer is split."""
    if deploy.tensor_parallel:
        return Decided(deploy.tensor_parallel, "set in the job")
    others = (deploy.pipeline_parallel or 1) * (deploy.data_parallel or 1)
    if count and count % others:
        raise UsageError(
            f"{count} GPUs cannot be shared by {others} pipeline and data ranks",
            "set deploy.gpus to a multiple of them",
        )
    split = max(count // others, 1)
    return Decided(split, "the GPUs that are left after the other ranks" if split > 1 else "one device")
