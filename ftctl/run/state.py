"""What state a run is in: derived from what is on disk and from process start times, never from hope."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ftctl.errors import UsageError
from ftctl.process import ProcessId, alive, boot_id, find_command, since_boot
from ftctl.record import from_record
from ftctl.run.directory import CREATOR, EXIT, GUARD, STOP, RunDir

LIVE = ("PENDING", "RUNNING", "STOPPING")
ENDED = ("STOPPED", "SUCCEEDED", "FAILED", "LOST")
STATES = (*LIVE, *ENDED)


class RunState(NamedTuple):
    """One run, seen now. Times are in seconds since the epoch; `loss` is the last one logged."""

    id: str
    name: str
    state: str  # one of STATES
    directory: str
    created: float
    ended: float | None = None
    step: int | None = None
    total_steps: int | None = None
    loss: float | None = None
    exit_code: int | None = None
    message: str | None = None
    took: float | None = None  # seconds from its making to its end or to now; None: not known
    evaluation: dict[str, Any] | None = None  # figures of the run's model and of its base, where measured


def supervisor(run: RunDir) -> ProcessId | None:
    """The node that supervises the run, as it recorded itself; None before it did."""
    return _process(run, "node.json")


def guard(run: RunDir) -> ProcessId | None:
    """Who starts the run's supervisor again when it is killed; None where nobody does."""
    return _process(run, GUARD)


def engine(run: RunDir) -> ProcessId | None:
    """The engine's process that was started last; None before there was one."""
    return _process(run, "engine.json")


def state_of(path: Path) -> RunState:
    """The state of the run in `path`."""
    run = RunDir(path)
    identity, (state, ended) = _object(run, "run.json"), _standing(run)
    created = identity.get("created")
    return RunState(
        id=path.name,
        name=str(identity.get("name", path.parent.name)),
        state=state,
        directory=str(path),
        created=float(created) if isinstance(created, int | float) else _made(path),
        ended=ended.get("ended"),
        exit_code=ended.get("exit_code"),
        message=ended.get("message", coming(run) if state == "PENDING" else None),
        took=ended.get("took") if ended else lasted(run),
        evaluation=_measured(run),
        **_figures(ended.get("progress") or progress(run)),
    )


def standing(path: Path) -> str:
    """The state alone, one of STATES, without looking at how far the run is."""
    return _standing(RunDir(path))[0]


def _standing(run: RunDir) -> tuple[str, dict[str, Any]]:
    """The state, and what the run recorded of its end."""
    ended = ending(run)
    state = "" if ended else _unfinished(run)
    if state == "LOST":
        ended = ending(run)  # it may have ended between the two looks
    return (str(ended["state"]) if ended else state), ended


def coming(run: RunDir) -> str | None:
    """What a run without a supervisor waits for; None where it has not had one yet."""
    if supervisor(run) is None:
        return None
    last = run.newest("restart", "attempt", "run")
    told = last.data if last is not None and last.kind == "restart" else None
    if told is None:
        return "its supervisor was killed, and its engine is being ended"
    wait, used, allowed = (told.get(name, 0) for name in ("wait", "used", "allowed"))
    return (
        f"its supervisor was killed; it is started again after {wait:g} s (restart {used + 1} of {allowed})"
    )


def checked(states: Iterable[str], known: Collection[str] = STATES) -> tuple[str, ...]:
    """States as a user wrote them. Raises UsageError for one that is not known."""
    wanted = tuple(state.upper() for state in states)
    for state in wanted:
        if state not in known:
            raise UsageError(f"{state} is none of these states", f"one of {', '.join(known)}")
    return wanted


def ending(run: RunDir) -> dict[str, Any]:
    """What the run recorded of its end; empty while there is no end, or no record that can be read."""
    record = _object(run, EXIT)
    return record if record.get("state") in ENDED else {}


def progress(run: RunDir) -> dict[str, Any]:
    """How far the training is: step, total_steps and loss of the last step that was logged.

    Until an attempt has logged one of its own, its step is the one that it goes on from.
    """
    try:
        last = run.newest("step", "attempt", having="step")
    except OSError:
        return {}
    return {} if last is None else _figures(last.data)


def lasted(run: RunDir) -> float | None:
    """Seconds since the run was made, whatever the time of day was set to; None after a reboot."""
    made = _object(run, "run.json").get("clock")
    if not isinstance(made, dict) or made.get("boot") != boot_id():
        return None
    return round(since_boot() - float(made["seconds"]), 3)


def _figures(data: Mapping[str, Any]) -> dict[str, Any]:
    return {key: data.get(key) for key in ("step", "total_steps", "loss")}


def _measured(run: RunDir) -> dict[str, Any] | None:
    record = _object(run, "evaluation.json")
    figures = {one: (record.get(one) or {}).get("figures") for one in ("base", "tuned")}
    if not figures["tuned"]:
        figures = {one: _answers(run, one) for one in ("base", "tuned")}
    return figures if figures["tuned"] else None


def _answers(run: RunDir, model: str) -> dict[str, float] | None:
    """The figures of a language model's answers."""
    figures = _object(run, f"evaluations/{model}/figures.json").get("figures")
    return {name: one["value"] for name, one in figures.items()} if isinstance(figures, dict) else None


def _unfinished(run: RunDir) -> str:
    """The state of a run that has recorded no end: it lives with its supervisor, or is about to have one."""
    node = supervisor(run)
    if node is None:
        creator = _process(run, CREATOR)
        if creator is not None and alive(creator):
            return "PENDING"
        # Whoever launched it may have died before it could record the node, which records itself soon.
        if find_command("node", str(run.path)) is None:
            return "LOST"
    elif not alive(node):
        again = guard(run)
        if again is not None and alive(again):
            return "STOPPING" if (run.path / STOP).exists() else "PENDING"
        if supervisor(run) == node:
            return "LOST"
        return _unfinished(run)  # another was started meanwhile
    return "STOPPING" if (run.path / STOP).exists() else "RUNNING"


def _process(run: RunDir, name: str) -> ProcessId | None:
    try:
        return from_record(ProcessId, run.read_json(name))
    except (OSError, TypeError):
        return None  # not there, or not what ftctl writes: nothing that could be alive


def _object(run: RunDir, name: str) -> dict[str, Any]:
    try:
        record = run.read_json(name)
    except OSError:
        return {}
    return record if isinstance(record, dict) else {}


def _made(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
