"""Stop a run: ask it to save a checkpoint and end, or end it at once."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from ftctl.errors import UsageError
from ftctl.process import ProcessId, alive, signal_session, stop_session
from ftctl.record import from_record
from ftctl.run.directory import RunDir
from ftctl.run.state import state_of, supervisor

GRACE = 15.0  # seconds that a node has to end its engine and record it


def request_stop(path: Path) -> None:
    """Ask the run to save a checkpoint and end; returns at once."""
    RunDir(path).ask_to_stop()


def stop(path: Path, *, now: bool) -> None:
    """Stop a run. With `now` it is ended at once, and nothing of it is left when this returns.

    Raises UsageError where the run has already ended.
    """
    state = state_of(path)
    if state.state not in ("PENDING", "RUNNING", "STOPPING"):
        raise UsageError(f"run {state.name} {state.id} has ended: {state.state}")
    run = RunDir(path)
    run.ask_to_stop()
    if now:
        _end(run)


def _end(run: RunDir) -> None:
    """Ask the node to end its engine; where the node is gone or deaf, end both."""
    node, deadline = supervisor(run), time.monotonic() + GRACE
    if node is not None and alive(node):
        signal_session(node, signal.SIGTERM)
        while alive(node) and time.monotonic() < deadline:
            time.sleep(0.05)
        stop_session(node, grace=0.0)
    record = run.read_json("engine.json")
    if record is not None:
        stop_session(from_record(ProcessId, record), grace=0.0)
