"""The lease of a deployment's GPUs in its keeper's hands, given to every server that it starts."""

from __future__ import annotations

from ftctl.deployments.launch import Launch
from ftctl.deployments.ready import ServerFailed
from ftctl.errors import FtctlError
from ftctl.leases.hold import NOTHING, Lease, held_here
from ftctl.leases.model import Wish
from ftctl.paths import leases_dir


def lease_of(launch: Launch) -> Lease:
    """The lease that this process was given; nothing where the deployment uses no GPU."""
    return held_here() if launch.gpus else NOTHING


def leased(launch: Launch, lease: Lease, name: str) -> Lease:
    """The lease that a server may be started with: taken again where it was lost, as with a reboot.

    Raises ServerFailed where somebody else holds a GPU of it now.
    """
    if not launch.gpus or lease.gpus:
        return lease
    from ftctl.leases.take import Asking, take

    indices = tuple(gpu.index for gpu in launch.gpus)
    wish = Wish(indices, len(indices), indices)
    try:
        return take(Asking(wish, launch.gpus, f"deployment {name}", leases_dir()))
    except FtctlError as error:
        raise ServerFailed(f"{name}: {error.message}", error.remedy) from None
