"""Devices: `--gpus`, `resources.gpus` and CUDA_VISIBLE_DEVICES agree, or it is an error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ftctl.errors import Missing, UsageError
from ftctl.facts.model import Gpu, MachineFacts
from ftctl.job.model import Job

Asked = int | str | tuple[int, ...] | None


def choose_devices(asked: Asked, machine: MachineFacts) -> tuple[tuple[int, ...], str]:
    """The GPU indices to use (empty: the CPU) and why.

    Raises errors.Missing where a GPU asked for is not there or not visible, errors.UsageError where
    CUDA_VISIBLE_DEVICES is not a list of indices.
    """
    usable = visible(machine)
    if asked in (0, ()):
        return (), "the CPU was asked for; every GPU is hidden"
    if asked is None:
        return usable, "every GPU that is visible" if usable else "no GPU is visible"
    if asked == "all":
        if not usable:
            raise _none(machine)
        return usable, "all that are visible"
    if isinstance(asked, int):
        if asked > len(usable):
            raise _none(machine, f"{asked} GPUs were asked for")
        return _free_first(asked, usable, machine)
    indices = asked if isinstance(asked, tuple) else ()
    missing = [index for index in indices if index not in usable]
    if missing:
        raise _none(machine, f"GPU {', '.join(map(str, missing))} was asked for")
    return indices, "the list that was asked for"


def _free_first(count: int, usable: tuple[int, ...], machine: MachineFacts) -> tuple[tuple[int, ...], str]:
    """The first GPUs that are free; where they do not suffice, what would be taken were the others free."""
    if machine.leased is not None:
        return usable[:count], "the first that were free; they are leased for this job"
    occupied = {one.index: one.why for one in machine.occupied}
    if not occupied:
        return usable[:count], f"the first {count} of {len(usable)} visible"
    free = [index for index in usable if index not in occupied]
    chosen = sorted([*free, *(index for index in usable if index in occupied)][:count], key=usable.index)
    told = why_not({index: occupied[index] for index in usable if index in occupied})
    return tuple(chosen), f"the first {count} of {len(usable)} visible that are free; {told}"


def with_gpus(machine: MachineFacts, job: Job) -> MachineFacts:
    """The machine with every GPU that the job names or shares its model over, of no particular kind."""
    wanted = 0
    if job.deploy is not None and job.deploy.gpus is None:
        wanted = job.deploy.ranks if job.deploy.ranks > 1 or job.deploy.engine == "lmdeploy" else 0
    for asked in (job.resources.gpus, job.deploy.gpus if job.deploy else None):
        if isinstance(asked, int):
            wanted = max(wanted, asked)
        elif isinstance(asked, tuple):
            wanted = max(wanted, *(index + 1 for index in asked), 0)
        elif asked == "all":
            wanted = max(wanted, 1)
    gpus = tuple(Gpu(index, "any", 0) for index in range(max(wanted, len(machine.gpus))))
    return replace(machine, gpus=gpus, cuda_visible_devices=None)


def why_not(occupied: Mapping[int, str]) -> str:
    """What GPUs are occupied with, each thing said once: "GPU 0,1 is held by …; GPU 3 is 90 % busy"."""
    alike: dict[str, list[int]] = {}
    for index, why in occupied.items():
        alike.setdefault(why, []).append(index)
    return "; ".join(f"GPU {','.join(map(str, indices))} {why}" for why, indices in alike.items())


def visible(machine: MachineFacts) -> tuple[int, ...]:
    """The GPUs that may be used: those that are leased, or those that CUDA_VISIBLE_DEVICES leaves."""
    if machine.leased is not None:
        return machine.leased
    present = tuple(gpu.index for gpu in machine.gpus)
    visible = machine.cuda_visible_devices
    if visible is None:
        return present
    words = [word.strip() for word in visible.split(",") if word.strip()]
    if words == ["-1"]:
        return ()
    if not all(word.isdigit() for word in words):
        raise UsageError(
            f"CUDA_VISIBLE_DEVICES={visible} is not a list of GPU indices",
            "set it to indices such as 0,1, or unset it and use resources.gpus",
        )
    return tuple(int(word) for word in words if int(word) in present)


def _none(machine: MachineFacts, what: str = "all GPUs were asked for") -> Missing:
    usable = visible(machine)
    found = f"this machine has {len(machine.gpus)}" if machine.gpus else "this machine has none"
    if machine.gpus and len(usable) != len(machine.gpus):
        found += f", of which CUDA_VISIBLE_DEVICES={machine.cuda_visible_devices} leaves {len(usable)}"
    return Missing(f"{what} and {found}", "set resources.gpus to what is there; 0 trains on the CPU")
