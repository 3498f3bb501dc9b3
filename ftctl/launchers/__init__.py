"""Launchers: where a run's `ftctl node` is started. A module and a table entry each."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Protocol, cast

from ftctl.leases.hold import NOTHING, Lease
from ftctl.process import ProcessId
from ftctl.run.state import RunState


class Launcher(Protocol):
    """What a launcher must offer. It only starts `ftctl node RUN` where the work is to happen."""

    NAME: str

    def submit(self, run: Path, lease: Lease = NOTHING) -> ProcessId:
        """Start the run's node, which is given the lease of its GPUs, and return at once."""

    def poll(self, run: Path) -> RunState:
        """What state the run is in."""

    def stop(self, run: Path, *, now: bool) -> None:
        """Ask the run to save a checkpoint and end; `now` ends it at once."""

    def logs(self, run: Path) -> Path:
        """Where the engine's output goes."""


def launcher(name: str) -> Launcher:
    """The launcher of that name. Raises KeyError for a name that the schema does not let through."""
    from ftctl.launchers import local

    table: dict[str, ModuleType] = {local.NAME: local}
    return cast(Launcher, table[name])
