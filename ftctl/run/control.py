"""Stop a run: ask it to save a checkpoint and end, or end it at once."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from ftctl.errors import UsageError
from ftctl.process import alive, own_session, signal_session, stop_session
from ftctl.run.directory import RunDir
from ftctl.run.state import LIVE, engine, guard, state_of, supervisor

GRACE = 15.0  # seconds that a node has to end its engine and record it


def request_stop(path: Path) -> None:
    """Ask the run to save a checkpoint and end; returns at once."""
    RunDir(path).ask_to_stop()


def stop(path: Path, *, now: bool) -> None:
    """Stop a run. With `now` it is ended at once, and nothing of it is left when this returns.

    Of a run that is lost the engine is ended, if it outlived its supervisor. Raises UsageError where the run
    has already ended.
    """
    state, run = state_of(path), RunDir(path)
    left = engine(run) if state.state == "LOST" else None
    if left is not None and own_session(left):
        stop_session(left, grace=0.0 if now else GRACE)  # nobody is there to ask it for a checkpoint
        return
    if state.state not in LIVE:
        raise UsageError(f"run {state.name} {state.id} has ended: {state.state}")
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
    process = engine(run)
    if process is not None:
        stop_session(process, grace=0.0)
    again = guard(run)
    if again is not None:  # it records the end where the node could not
        while alive(again) and time.monotonic() < deadline:
            time.sleep(0.05)
        stop_session(again, grace=0.0)
