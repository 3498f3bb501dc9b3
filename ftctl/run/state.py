"""What state a run is in: derived from what is on disk and from process start times, never from hope."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftctl.process import ProcessId, alive
from ftctl.record import from_record
from ftctl.run.curve import curve
from ftctl.run.directory import EXIT, STARTER, STOP, RunDir


@dataclass(frozen=True)
class RunState:
    """One run, seen now. Times are in seconds since the epoch; `loss` is the last one logged."""

    id: str
    name: str
    state: str  # PENDING | RUNNING | STOPPING | STOPPED | SUCCEEDED | FAILED | LOST
    directory: str
    created: float
    ended: float | None = None
    step: int | None = None
    total_steps: int | None = None
    loss: float | None = None
    exit_code: int | None = None
    message: str | None = None


def supervisor(run: RunDir) -> ProcessId | None:
    """The node that supervises the run, as it recorded itself; None before it did."""
    record = run.read_json("node.json")
    return None if record is None else from_record(ProcessId, record)


def state_of(path: Path) -> RunState:
    """The state of the run in `path`."""
    run = RunDir(path)
    identity: dict[str, Any] = run.read_json("run.json") or {}
    ended: dict[str, Any] | None = run.read_json(EXIT)
    progress = _progress(run)
    return RunState(
        id=path.name,
        name=identity.get("name", path.parent.name),
        state=ended["state"] if ended else _unfinished(run),
        directory=str(path),
        created=identity.get("created", 0.0),
        ended=ended["ended"] if ended else None,
        exit_code=ended["exit_code"] if ended else None,
        message=ended["message"] if ended else None,
        **progress,
    )


def _unfinished(run: RunDir) -> str:
    node = supervisor(run)
    if node is None:
        starter = run.read_json(STARTER)
        waits = starter is None or alive(from_record(ProcessId, starter))
        return "PENDING" if waits else "LOST"
    if not alive(node):
        return "LOST"
    return "STOPPING" if (run.path / STOP).exists() else "RUNNING"


def _progress(run: RunDir) -> dict[str, Any]:
    line = curve(run.events())
    return {key: line[-1].data.get(key) for key in ("step", "total_steps", "loss")} if line else {}
