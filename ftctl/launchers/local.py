"""Launch on this machine: the node in a session of its own, so that closing the terminal ends nothing."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ftctl.leases.hold import NOTHING, Lease
from ftctl.leases.model import run_phrase
from ftctl.process import ProcessId, start_detached
from ftctl.run.control import stop as stop_run
from ftctl.run.directory import LOG, RunDir
from ftctl.run.state import RunState, state_of

NAME = "local"


def submit(run: Path, lease: Lease = NOTHING) -> ProcessId:
    """Start `ftctl node RUN`, which holds the lease from now on. `-P` keeps the run off the module path."""
    command = (sys.executable, "-P", "-m", "ftctl", "node", str(run))
    process = start_detached(command, cwd=run, env=os.environ, log=run / "node.log", keep=lease.files)
    lease.hand_over(run_phrase(run.parent.name, run.name), process.pid)
    # A node that dies before it can say so itself is seen as dead all the same.
    RunDir(run).write_json("node.json", process)
    return process


def poll(run: Path) -> RunState:
    """The run's state, from what is on disk."""
    return state_of(run)


def stop(run: Path, *, now: bool) -> None:
    """Ask the run to stop, or end it at once."""
    stop_run(run, now=now)


def logs(run: Path) -> Path:
    """The engine's whole output."""
    return run / LOG
