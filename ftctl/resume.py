"""Resume a run: look at how it ended, make it ready to go on, launch; then become one that attends it."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from typing import NoReturn

from ftctl.errors import FtctlError, JobError, Missing, UsageError
from ftctl.facts.model import DatasetFacts
from ftctl.job.load import draft
from ftctl.launchers import launcher
from ftctl.leases.hold import Lease
from ftctl.leases.of_job import devices_of, lease_again
from ftctl.plan.model import Plan
from ftctl.plan.resuming import LONGER, changed, refusals
from ftctl.prepare import prepare, rendered
from ftctl.process import identify, stop_session
from ftctl.run.attempts import TRAIN, Attempt, go_on, lost_record, phases_of
from ftctl.run.attend import become
from ftctl.run.create import write_steps
from ftctl.run.curve import first_open
from ftctl.run.directory import CREATOR, EVENTS, EXIT, GUARD, RunDir
from ftctl.run.find import lookup
from ftctl.run.index import enter
from ftctl.run.lock import held
from ftctl.run.records import plan_of
from ftctl.run.state import RunState, state_of
from ftctl.supervise.guard import GRACE, end_server, engine_of
from ftctl.supervise.serving import check_place
from ftctl.train import ensure_all
from ftctl.view.output import emit, say
from ftctl.view.warnings import show_warnings

OVER = ("STOPPED", "FAILED", "LOST")


def resume_run(
    name: str,
    overrides: tuple[str, ...],
    *,
    strict: bool,
    install: bool,
    detach: bool,
    wait: bool = False,
    as_json: bool,
) -> NoReturn:
    """Let the run that `name` means go on; the process ends with the run's exit code.

    It takes the run's own GPUs again; with `wait` it queues for those that are held, else Missing is raised.
    Raises UsageError where it is running or cannot go on, JobError for an override that it cannot go on with.
    """
    path = lookup(name)
    if path is None:
        raise UsageError(f"there is no run called {name}", "`ftctl runs` lists them")
    run = RunDir(path)
    with held(path):
        state = state_of(path)
        if state.state == "SUCCEEDED" and not overrides:
            _nothing_to_do(run, state, as_json=as_json)
        _check_over(state)
        plan = _with_overrides(run, plan_of(run), overrides, state, strict=strict, install=install)
        shown = (path / EVENTS).stat().st_size if (path / EVENTS).exists() else 0
        attempt, lease = _take_up(run, plan, overrides, wait=wait)
        launcher(plan.job.resources.launcher).submit(path, lease)
    enter(path, state.name, state.created)
    say(f"run {state.name} {state.id} goes on in {path}: {where(attempt)}")
    if detach:
        emit("resume", {"run": str(path), "id": state.id, "name": state.name}, as_json=as_json, text=state.id)
        raise SystemExit(0)
    become(path, as_json=as_json, since=shown)


def where(attempt: Attempt) -> str:
    """Where an attempt begins, in words."""
    if attempt.phase != TRAIN:
        return f"attempt {attempt.number}, {attempt.phase}"
    place = (
        f"after step {attempt.step}" if attempt.checkpoint else "from the beginning: there is no checkpoint"
    )
    return f"attempt {attempt.number}, training {place}"


def _nothing_to_do(run: RunDir, state: RunState, *, as_json: bool) -> NoReturn:
    data = {"run": str(run.path), "id": state.id, "name": state.name, "state": state.state}
    text = f"run {state.name} {state.id} has succeeded: there is nothing to do"
    emit("resume", data, as_json=as_json, text=text)
    raise SystemExit(0)


def _check_over(state: RunState) -> None:
    if state.state in OVER:
        return
    run = f"run {state.name} {state.id}"
    if state.state == "SUCCEEDED":
        raise UsageError(f"{run} has succeeded, and nothing of it can change", "ftctl train begins a new one")
    raise UsageError(f"{run} is {state.state}", f"`ftctl stop {state.id}` ends it first")


def _with_overrides(
    run: RunDir, plan: Plan, overrides: tuple[str, ...], state: RunState, *, strict: bool, install: bool
) -> Plan:
    """The plan to go on with; its training is the one that was decided when the run began.

    Raises JobError for what cannot change.
    """
    if overrides:
        own = devices_of(plan) or None
        offline = any(choice.key == "model" for choice in plan.choices)
        asked = draft(plan.job.file, (*plan.job.overrides, *overrides), text=plan.job.source)
        new = prepare(asked, runs=run.path.parent, strict=strict, offline=offline, leased=own)
        refused = refusals(plan.job, new.job, state.step or 0)
        if refused:
            raise JobError(refused)
        show_warnings(new)
        plan = replace(new, train=plan.train, facts=replace(plan.facts, server=new.facts.server))
    for engine in (plan.facts.trainer, plan.facts.server, plan.facts.judge):
        if engine is not None and engine.installed and not engine.python.is_file():
            raise Missing(
                f"the run's {engine.name} has no interpreter at {engine.python} any more",
                f"ftctl engines install {engine.name}"
                + (f" --with {','.join(engine.trackers)}" if engine.trackers else ""),
            )
    return ensure_all(plan, install=install)


def _take_up(run: RunDir, plan: Plan, overrides: tuple[str, ...], *, wait: bool) -> tuple[Attempt, Lease]:
    """Make the run ready to go on, with the lease of its GPUs; nothing of its earlier attempts runs then."""
    longer = bool(LONGER & {*changed(plan_of(run).job, plan.job)})
    order = phases_of(run, plan)
    if longer or order.index(first_open(run.events(), order)) <= order.index(TRAIN):
        for fact in (*plan.facts.train_data, *plan.facts.eval_data):
            _check_data(fact)
    engine = engine_of(run)
    if engine is not None:
        stop_session(engine, grace=GRACE)
    end_server(run.path, ready=True)
    check_place(plan)
    lease = lease_again(plan, wait=wait, say=say)  # what ran of the run until now held them
    ended = run.read_json(EXIT) or lost_record(run)
    try:
        run.write_json(CREATOR, identify(os.getpid()))
        run.remove("node.json", GUARD)
        run.write_json("plan.json", plan)
        write_steps(run, rendered(plan))
        if overrides:
            run.write_json("run.json", {**run.read_json("run.json"), "overrides": plan.job.overrides})
        return go_on(run, plan, ended, longer=longer, changes=overrides), lease
    except OSError as error:
        what = f"cannot write {error.filename or run.path}: {error.strerror}"
        raise FtctlError(what, "see to it, then resume again") from error


def _check_data(fact: DatasetFacts) -> None:
    """Raises UsageError where a file of rows is not what the training has begun with."""
    try:
        with open(fact.path, "rb") as file:
            now = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(f"{fact.path}: {error.strerror}", "put the file back, then resume again") from None
    if now != fact.sha256:
        raise UsageError(
            f"{fact.path} is not what it was when the run began: other rows would be left out",
            "put the file back, or begin a new run: ftctl train",
        )
