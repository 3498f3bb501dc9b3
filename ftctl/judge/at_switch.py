"""The gate before a switch: servers that are to take over must meet the gate of their model's job.

A verdict that the run recorded counts where it is of the very same files, rules and test; else the new server
itself is measured.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ftctl.artifacts.model import Artifact
from ftctl.deployments import store
from ftctl.deployments.replace import Gate, open_gate
from ftctl.deployments.store import Entry
from ftctl.deployments.target import Target
from ftctl.errors import FtctlError
from ftctl.judge.evaluate import TUNED, wanted_of
from ftctl.judge.evaluate_subject import evaluate
from ftctl.judge.figures import figures_of
from ftctl.judge.held_out import relevance_in
from ftctl.judge.measured import Measurement
from ftctl.judge.records import measured_in, measured_of, other_of
from ftctl.judge.subject import Subject
from ftctl.judge.verdict import Verdict, not_met, recorded, verdict
from ftctl.plan.judging import judged
from ftctl.plan.model import Plan
from ftctl.run.directory import RunDir
from ftctl.run.records import plan_of
from ftctl.trainers.flagembedding import data_of


def gate_of(target: Target, front: str) -> Gate:
    """What a new server must stand before it takes over from those of the deployment `front`.

    Raises GateNotMet at once where the run's own verdict is against it.
    """
    gate = target.job.evaluate.gate if target.job.evaluate is not None else {}
    if not gate:
        return open_gate
    known = None if target.run is None else _known(gate, target.artifact, target.run)
    if known is not None:
        _check(known, front)
        return open_gate
    return lambda entry: _check(_judged(gate, target, entry), front)


def _known(gate: Mapping[str, str], artifact: Artifact, run: Path) -> Verdict | None:
    """The verdict that the run recorded, where it is of this gate, these files and its own test."""
    found, own = recorded(run), measured_of(run)
    if found is None or own is None or not artifact.hashes:
        return None
    same = found.hashes == artifact.hashes and found.test == own.test
    return found if same and {rule.metric: rule.rule for rule in found.rules} == dict(gate) else None


def _check(found: Verdict, front: str) -> None:
    if not found.met:
        raise not_met(found, f"{front} serves on as before; under another --name it can be served beside")


def _judged(gate: Mapping[str, str], target: Target, entry: Entry) -> Verdict:
    """The verdict of the new server itself. Raises FtctlError where it cannot be measured."""
    plan = None if target.run is None else plan_of(RunDir(target.run))
    with tempfile.TemporaryDirectory(prefix=".judging.", dir=target.run) as scratch:
        own: Measurement | None
        if target.run is not None and plan is not None and judged(plan):
            own = _of_queries(target.run, plan, entry, Path(scratch))
        else:
            own = _of_answers(target, entry, Path(scratch))
        find = other_of(target.run or Path(scratch))
        return verdict(gate, own, find, hashes=target.artifact.hashes)


def _of_queries(run: Path, plan: Plan, entry: Entry, scratch: Path) -> Measurement:
    """What the new server achieves on the queries that its run held out."""
    if plan.facts.trainer is None:
        raise FtctlError(f"the run {run.name} has no trainer on record")
    data = data_of(plan)
    test = relevance_in(run, data.eval, data.train)
    figures = figures_of(
        entry.deployment,
        store.key_of(entry),
        test,
        python=plan.facts.trainer.python,
        folder=scratch,
        tell=lambda done, total: None,
    )
    return Measurement(entry.name, test.digest, figures.mean, figures.by_query)


def _of_answers(target: Target, entry: Entry, scratch: Path) -> Measurement | None:
    """What the new server answers to the questions of its job."""
    block = target.job.evaluate
    job = target.job if block is None else replace(target.job, evaluate=replace(block, compare=None))
    wanted = wanted_of(job, target.run)
    if wanted is None:
        what = f"the gate of {target.job.name} cannot be judged: there is no verdict of these files"
        raise FtctlError(what, "train it anew, or take evaluate.gate out")
    subject = Subject(target, wanted, scratch, entry)
    evaluate(subject, install=True, wait=False, tell=lambda model, said: None, say=lambda text: None)
    return measured_in(scratch / TUNED, entry.name)
