"""Decide which GPUs a server gets and how its ranks share them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ftctl.errors import FtctlError, Missing, UsageError
from ftctl.facts.model import MachineFacts
from ftctl.job.model import Deploy
from ftctl.plan.devices import choose_devices


@dataclass(frozen=True)
class Decided:
    """A value and why it is that."""

    value: Any
    reason: str


def devices(deploy: Deploy, machine: MachineFacts, engine: str, variant: str | None) -> Decided:
    """The GPUs to serve on; none means the CPU. Raises Missing for one that is not there, UsageError where
    the block contradicts itself."""
    ranks = deploy.ranks
    if deploy.gpus is None and variant == "cpu" and ranks == 1 and engine != "lmdeploy":
        return Decided((), "the engine's environment is the one for the CPU")
    chosen, reason = choose_devices(deploy.gpus, machine)
    if deploy.gpus is None and chosen:
        chosen, reason = chosen[:ranks], "the first that are visible, one per rank"
    if engine == "lmdeploy" and not chosen:
        raise _needs_gpu(deploy, machine)
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


def _needs_gpu(deploy: Deploy, machine: MachineFacts) -> FtctlError:
    if deploy.gpus == 0:
        return UsageError(
            "deploy.gpus is 0, and LMDeploy serves on GPUs alone", "remove it, or set deploy.engine: vllm"
        )
    found = "sees none" if machine.gpus else "has none"
    return Missing(
        f"LMDeploy needs an NVIDIA GPU and this machine {found}",
        "set deploy.engine: vllm, which serves on the CPU too, or run it where a GPU is",
    )


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
