"""Look at the GPUs of this machine: what each is occupied with, taking none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from ftctl.facts.model import Gpu, MachineFacts, Occupied
from ftctl.facts.nvml import Load, gpu_loads
from ftctl.leases.folder import file_of, holder_of, locked
from ftctl.leases.queue import Ticket, before

FREE_MEMORY = 2**30  # bytes in use that a free GPU may show: the driver's own and a desktop's
FREE_SHARE = 0.05  # or this share of its memory, if that is more
FREE_PERCENT = 10
MIB, GIB = 2**20, 2**30

Loads = Callable[[], tuple[Mapping[int, Load], str | None]]


def busy(loads: Mapping[int, Load]) -> dict[int, str]:
    """The GPUs that are in use by whomever, and how much."""
    found = {}
    for index, load in loads.items():
        if load.used > max(FREE_MEMORY, FREE_SHARE * load.total):
            found[index] = f"has {load.used / GIB:.1f} of {load.total / GIB:.1f} GiB in use"
        elif (load.percent or 0) > FREE_PERCENT:
            found[index] = f"is {load.percent} % busy"
    return found


def taken(folder: Path, gpus: tuple[Gpu, ...], ticket: Ticket | None) -> dict[int, str]:
    """The GPUs that are held, or are left to those who came before `ticket`. Under the folder's lock."""
    queue, found = before(folder, ticket), {}
    for gpu in gpus:
        file = file_of(folder, gpu)
        holder = holder_of(file)
        if holder is not None:
            found[gpu.index] = f"is held by {holder}"
        else:
            first = next((one.who for one in queue if file.name in one.gpus), None)
            if first is not None:
                found[gpu.index] = f"is waited for by {first}"
    return found


def occupied(machine: MachineFacts, folder: Path, loads: Loads = gpu_loads) -> tuple[Occupied, ...]:
    """What each GPU that is not free is occupied with. Takes none; without GPUs nothing is asked."""
    if not machine.gpus:
        return ()
    known, _ = loads()
    found = busy(known)
    if (folder / "lock").exists():
        with locked(folder):
            found |= taken(folder, machine.gpus, None)
    return tuple(Occupied(gpu.index, found[gpu.index]) for gpu in machine.gpus if gpu.index in found)
