"""Take a run up again: close the attempt that ended, and make ready the one that goes on from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ftctl.errors import FtctlError
from ftctl.events import Event
from ftctl.plan.judging import phases
from ftctl.plan.model import Plan
from ftctl.run.checkpoints import OUTPUT, WEIGHTS_ONLY, Checkpoint, checkpoints
from ftctl.run.curve import first_open
from ftctl.run.directory import PROGRESS, STOP, RunDir, Tail
from ftctl.run.records import steps_of
from ftctl.trainers.table import trainer_of

TRAIN = "train"
FROM_ENGINE = ("begin", "tracking", "step", "evaluation", "checkpoint", "stopped", "warning", "template")
LOST = "the run's supervisor died"


@dataclass(frozen=True)
class Attempt:
    """Where a run goes on: its attempt counted from 1, the phase, and for a training the checkpoint's folder
    in the run directory and its step (None and 0: from the beginning)."""

    number: int
    phase: str
    checkpoint: str | None = None
    step: int = 0


def lost_record(run: RunDir) -> Mapping[str, Any]:
    """The exit record of an attempt whose supervisor died before it could write one."""
    last = run.newest()
    ended = last.time if last is not None else 0.0
    return {"state": "LOST", "exit_code": 1, "message": LOST, "remedy": "", "ended": ended}


def phases_of(run: RunDir, plan: Plan) -> tuple[str, ...]:
    """Every phase of the run, in order."""
    return (*(step.name for step in steps_of(run)), "collect", *phases(plan))


def go_on(
    run: RunDir,
    plan: Plan,
    ended: Mapping[str, Any],
    *,
    longer: bool = False,
    changes: tuple[str, ...] = (),
    restart: int = 0,
) -> Attempt:
    """Make the run ready to go on; `ended` is how the attempt before it ended, `longer` asks a training
    that is done to go on, `changes` are the job's overrides since, `restart` counts those that the run has
    made by itself (0: somebody took it up).

    Whoever calls this holds the run's lock. Raises FtctlError where its checkpoints cannot be gone on from.
    """
    run.mend()
    _take_in(run, plan)
    order = phases_of(run, plan)
    phase = first_open(run.events(), order)
    if longer and order.index(phase) > order.index(TRAIN):
        phase = TRAIN
    begins = order.index(phase) <= order.index(TRAIN)
    found = checkpoints(run.path / OUTPUT, _processes(plan)) if begins else ()
    chosen = last_whole(found)
    run.end_attempt(ended)
    number = run.attempt()
    attempt = Attempt(number, phase, *(() if chosen is None else (_inside(chosen), chosen.step)))
    if begins:
        _make_room(run, found, attempt)
        _render(run, plan, attempt)
    elif phase == "merge":
        run.drop([str(path) for name, path in trainer_of(plan).results(plan).items() if name == "merged"])
    run.remove(STOP)
    run.reserve()
    _tell(run, attempt, str(ended.get("state", "")), changes, restart)
    return attempt


def last_whole(found: tuple[Checkpoint, ...]) -> Checkpoint | None:
    """The checkpoint to go on from; None where there is none at all.

    Raises FtctlError where there are only such as hold the weights alone.
    """
    whole = [checkpoint for checkpoint in found if checkpoint.fault is None]
    if whole:
        return whole[-1]
    if any(checkpoint.fault == WEIGHTS_ONLY for checkpoint in found):
        raise FtctlError(
            "the run cannot go on: its checkpoints hold the weights alone (train.checkpoints.weights_only)",
            "train again without it; the weights themselves can be a new job's model",
        )
    return None


def _processes(plan: Plan) -> int:
    return 1 if plan.train is None else plan.train.world_size


def _inside(checkpoint: Checkpoint) -> str:
    return f"{OUTPUT}/{checkpoint.path.name}"


def _take_in(run: RunDir, plan: Plan) -> None:
    """Record what the engine reported after its supervisor had died."""
    known = {_mark(event) for event in run.events()}
    read = trainer_of(plan).progress
    for line in Tail(run.path / PROGRESS).lines():
        event = read(line)
        if event is not None and event.kind in FROM_ENGINE and _mark(event) not in known:
            run.emit(event.kind, event.data, event.time)


def _mark(event: Event) -> tuple[str, float, Any]:
    return event.kind, round(event.time, 3), event.data.get("step")


def _make_room(run: RunDir, found: tuple[Checkpoint, ...], attempt: Attempt) -> None:
    """Set aside what is not whole; without a checkpoint to go on from, all that the training wrote."""
    for checkpoint in found:
        if checkpoint.fault not in (None, WEIGHTS_ONLY):
            _aside(run, _inside(checkpoint), attempt.number, str(checkpoint.fault))
    if attempt.checkpoint is None and (run.path / OUTPUT).exists() and any((run.path / OUTPUT).iterdir()):
        _aside(run, OUTPUT, attempt.number, "there is no checkpoint to go on from")


def _aside(run: RunDir, name: str, number: int, why: str) -> None:
    run.emit("set_aside", {"path": name, "to": run.set_aside(name, number), "why": why})


def _render(run: RunDir, plan: Plan, attempt: Attempt) -> None:
    """The engine's native files, told where to go on from; its commands stay as they are."""
    trainer, place = trainer_of(plan), attempt.checkpoint
    rendered = trainer.render(plan) if place is None else trainer.render_resume(plan, place)
    for name, content in rendered.files.items():
        run.write(name, content)


def _tell(run: RunDir, attempt: Attempt, after: str, changes: tuple[str, ...], restart: int) -> None:
    told: dict[str, Any] = {"number": attempt.number, "after": after, "phase": attempt.phase}
    if attempt.phase in (TRAIN, "convert"):
        told["step"] = attempt.step
    if attempt.checkpoint is not None:
        told["checkpoint"] = attempt.checkpoint
    if changes:
        told["set"] = list(changes)
    if restart:
        told["restart"] = restart
    run.emit("attempt", told)
