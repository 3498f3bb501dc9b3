"""The gate before a switch: servers that are to take over must meet the gate of their model's job.

A verdict that the run recorded counts where it is of the very same files, rules and test; else the new server
itself is measured.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ftctl.artifacts.model import Artifact
from ftctl.deployments import store
from ftctl.deployments.replace import Gate, open_gate
from ftctl.deployments.store import Entry
from ftctl.errors import FtctlError
from ftctl.job.model import Job
from ftctl.judge.figures import figures_of
from ftctl.judge.held_out import relevance_in
from ftctl.judge.measured import Measurement
from ftctl.judge.records import measured_of, other_of
from ftctl.judge.verdict import Verdict, not_met, recorded, verdict
from ftctl.plan.judging import judged
from ftctl.run.directory import RunDir
from ftctl.run.records import plan_of
from ftctl.trainers.flagembedding import data_of


def gate_of(job: Job, artifact: Artifact, run: Path | None, front: str) -> Gate:
    """What a new server must stand before it takes over from those of the deployment `front`.

    Raises GateNotMet at once where the run's own verdict is against it.
    """
    gate = job.evaluate.gate if job.evaluate is not None else {}
    if not gate or run is None:
        return open_gate
    known = _known(gate, artifact, run)
    if known is not None:
        _check(known, run, front)
        return open_gate
    return lambda entry: _check(_judged(gate, artifact, run, entry), run, front)


def _known(gate: Mapping[str, str], artifact: Artifact, run: Path) -> Verdict | None:
    """The verdict that the run recorded, where it is of this gate, these files and its own test."""
    found, own = recorded(run), measured_of(run)
    if found is None or own is None or not artifact.hashes:
        return None
    same = found.hashes == artifact.hashes and found.test == own.test
    return found if same and {rule.metric: rule.rule for rule in found.rules} == dict(gate) else None


def _check(found: Verdict, run: Path, front: str) -> None:
    if not found.met:
        raise not_met(
            found, f"{front} serves on as before; ftctl deploy {run.name} --name NAME serves it beside"
        )


def _judged(gate: Mapping[str, str], artifact: Artifact, run: Path, entry: Entry) -> Verdict:
    return verdict(gate, _measured(run, entry), other_of(run), hashes=artifact.hashes)


def _measured(run: Path, entry: Entry) -> Measurement:
    """What the new server achieves on the rows that its run held out. Raises FtctlError."""
    plan = plan_of(RunDir(run))
    if not judged(plan) or plan.facts.trainer is None:
        raise FtctlError(
            f"the gate of {plan.job.name} cannot be judged: run {run.name} has no verdict of these files",
            f"ftctl evaluate {run.name} measures it",
        )
    data = data_of(plan)
    test = relevance_in(run, data.eval, data.train)
    scratch = Path(tempfile.mkdtemp(prefix=".judging.", dir=run))
    try:
        figures = figures_of(
            entry.deployment,
            store.key_of(entry),
            test,
            python=plan.facts.trainer.python,
            folder=scratch,
            tell=lambda done, total: None,
        )
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return Measurement(entry.name, test.digest, figures.mean, figures.by_query)
