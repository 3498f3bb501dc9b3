"""Evaluates what `ftctl evaluate` names, through its deployment or one that lives as long as it is asked."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ftctl.deployments.made_sure import made_sure
from ftctl.deployments.store import Entry
from ftctl.engines.install import ensure
from ftctl.engines.locate import locate
from ftctl.errors import FtctlError, UsageError
from ftctl.facts.machine import machine_facts
from ftctl.facts.model import EngineFacts
from ftctl.judge.evaluate import BASE, EVALUATIONS, REQUEST, TUNED, evaluation_of, read
from ftctl.judge.evaluate_run import Case, Tell, compared, evaluate_base, evaluate_tuned
from ftctl.judge.looked_up import JUDGE, LM_EVAL
from ftctl.judge.measured import Measurement
from ftctl.judge.records import measured_in, other_of
from ftctl.judge.serving import name_of, served_for_a_while
from ftctl.judge.subject import Subject
from ftctl.judge.verdict import Verdict, record, recorded_gains, verdict
from ftctl.leases.hold import NOTHING
from ftctl.plan.model import Plan
from ftctl.run.directory import EXIT, RunDir
from ftctl.run.records import plan_of


def evaluate(
    subject: Subject, *, install: bool, wait: bool, tell: Tell, say: Callable[[str], None]
) -> Path | None:
    """Have the subject answer, and its base where they are to be compared; the folder of the other one.

    Raises UsageError where there is nothing to compare with, FtctlError where too many questions get no
    answer.
    """
    target, compare = subject.target, subject.wanted.block.compare
    plan = None if target.run is None else plan_of(RunDir(target.run))
    other = None if compare in (None, BASE) else evaluation_of(str(compare))
    judge = _judge(subject, install=install, say=say)
    case = _case(subject, plan, judge, install=install, wait=wait, tell=tell)
    if subject.wanted.block.tasks:
        case = replace(case, lm_eval=_installed(LM_EVAL, None, install=install, say=say))
    try:
        if compare == BASE:
            other = evaluate_base(case, _trained(plan, subject), target.artifact)
        own = evaluate_tuned(case, target.artifact, partial(_answering, subject, case))
        if other is not None:
            _compared(case, other, own, str(compare))
    finally:
        case.lease.close()
    if target.run is not None and subject.place == target.run / EVALUATIONS:
        (target.run / EXIT).touch()  # a list of runs looks at it again then
    return other


def _compared(case: Case, other: Path, own: Path, name: str) -> None:
    """Record how the two differ. Raises FtctlError where they were not asked the same."""
    if read(other / REQUEST).get("digest") != read(own / REQUEST)["digest"]:
        what = f"{name} was asked other questions, or in another way"
        raise UsageError(what, f"evaluate it as this one: ftctl evaluate {name} with the same options")
    why = compared(case, other)
    if why:
        raise FtctlError(f"it cannot be compared with {name}: {why}", "the figures of both are kept")


def held(subject: Subject) -> Verdict | None:
    """What comes of the gate, recorded with the run where it is of the run's own evaluation; None where none
    is to be held."""
    gate, run = subject.wanted.block.gate, subject.target.run
    if not gate or not subject.gated:
        return None
    elsewhere = other_of(run or subject.place)

    def find(other: str) -> Measurement | str:
        base = measured_in(subject.place / BASE, BASE) if other == BASE else None
        return base or elsewhere(other)

    own = measured_in(subject.place / TUNED, subject.name)
    hashes, asked = subject.target.artifact.hashes, subject.wanted.block.compare
    compare = BASE if asked in (None, BASE) else f"run:{asked}"
    paired = recorded_gains(subject.place)
    found = verdict(gate, own, find, hashes=hashes, compared=compare, paired=paired)
    if run is not None and subject.place == run / EVALUATIONS:
        record(RunDir(run), found)
    return found


def _judge(subject: Subject, *, install: bool, say: Callable[[str], None]) -> Path:
    """The judge's interpreter. Raises Missing where it is not installed and must not be."""
    return _installed(JUDGE, subject.wanted.block.engine_python, install=install, say=say)


def _installed(name: str, python: Path | None, *, install: bool, say: Callable[[str], None]) -> Path:
    found = locate(name, "cpu", python=python, environ=os.environ)
    return (found if found.installed else ensure(name, "cpu", install=install, report=say)).python


def _case(subject: Subject, plan: Plan | None, judge: Path, *, install: bool, wait: bool, tell: Tell) -> Case:
    """What is needed to ask, an engine and GPUs only where something is to be served."""
    target = subject.target
    try:
        subject.place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"{subject.place}: cannot be written: {error.strerror}", "choose another --output"
        ) from None
    known: dict[str, Any] = {"lease": NOTHING}
    if subject.entry is None or subject.wanted.block.compare == BASE:
        known = made_sure(target, install=install, wait=wait)
    elif plan is not None and plan.facts.server is not None:
        known["engine"] = plan.facts.server
    else:
        engine = subject.entry.deployment.engine
        known["engine"] = EngineFacts(engine, "running", Path(), installed=True)
    return Case(
        target.run or subject.place,
        subject.place,
        target.job,
        subject.wanted,
        target.deploy,
        known["engine"],
        known.get("machine") or machine_facts(Path.cwd(), os.environ),
        judge,
        known["lease"],
        tell,
    )


def _answering(subject: Subject, case: Case) -> AbstractContextManager[Entry]:
    """The deployment that runs, or one of the model for as long as it is asked."""
    if subject.entry is not None:
        return nullcontext(subject.entry)
    return served_for_a_while(
        subject.target.artifact,
        case.deploy,
        name=name_of(subject.name, "evaluated", case.run.name),
        engine=case.server,
        machine=case.machine,
        lease=case.lease,
        say=lambda detail: case.tell(TUNED, {"detail": detail}),
        trust_remote_code=subject.target.trust_remote_code,
    )


def _trained(plan: Plan | None, subject: Subject) -> Plan:
    if plan is None:
        raise UsageError(
            f"{subject.name} was not trained by ftctl, and its base is not known", "leave compare out"
        )
    return plan
