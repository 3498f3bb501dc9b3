"""Decide which GPUs a server gets and how its ranks share them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ftctl.errors import Missing, UsageError
from ftctl.facts.model import MachineFacts
from ftctl.job.model import Deploy
from ftctl.plan.devices import choose_devices


@dataclass(frozen=True)
class Decided:
    """A value and why it is that."""

    value: Any
    reason: str


def devices(deploy: Deploy, machine: MachineFacts, variant: str | None) -> Decided:
    """The GPUs to serve on; none means the CPU. Raises Missing for one that is not there."""
    ranks = deploy.ranks
    if deploy.gpus is None and variant == "cpu" and ranks == 1:
        return Decided((), "the engine's environment is the one for the CPU")
    chosen, reason = choose_devices(deploy.gpus, machine)
    if deploy.gpus is None and chosen:
        chosen, reason = chosen[:ranks], "the first that are visible, one per rank"
    if chosen and variant == "cpu":
        raise Missing(
            "deploy.gpus asks for a GPU and the vllm environment is the one for the CPU",
            "run ftctl engines install vllm where the GPU is, or set deploy.gpus: 0",
        )
    if ranks > max(len(chosen), 1):
        raise UsageError(
            f"{ranks} ranks do not fit on {len(chosen)} GPUs",
            "lower deploy.tensor_parallel, pipeline_parallel or data_parallel, or raise deploy.gpus",
        )
    return Decided(chosen, reason)


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
