"""The stages that judge: the base model before the deployment, the deployment itself after it.

The base comes first, alone: two servers at once may not fit on a GPU, and none is left running beside.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ftctl.artifacts.model import Artifact
from ftctl.deployments import store
from ftctl.deployments.stop import stop
from ftctl.errors import FtctlError, GateNotMet, Interrupted
from ftctl.judge.held_out import relevance_in
from ftctl.judge.measure import Case, measure_base, measure_tuned, without_base
from ftctl.judge.model import Evaluation
from ftctl.judge.records import EVALUATIONS, measured_of, other_of
from ftctl.judge.verdict import Verdict, not_met, record, recorded_gains, verdict
from ftctl.plan.model import Plan
from ftctl.run.directory import STOP, RunDir
from ftctl.trainers.flagembedding import data_of

PACE = 2.0  # seconds between two events of progress


def judge_base(run: RunDir, plan: Plan, tuned: Artifact) -> Evaluation:
    """Measure the base model; where it cannot be served the evaluation says why, and the run goes on."""
    with phase(run, "judge base"):
        case = _case(run, plan)
        try:
            return measure_base(case, tuned)
        except Interrupted:
            raise
        except FtctlError as error:
            run.emit("warning", {"message": f"the base model is not measured: {error}"})
            return without_base(case, error)


def judge(run: RunDir, plan: Plan, artifact: Artifact, evaluation: Evaluation) -> None:
    """Measure the deployment and tell how it compares. Raises FtctlError where it does not answer."""
    name = (plan.job.deploy and plan.job.deploy.name) or plan.job.name
    with phase(run, "judge"):
        try:
            whole = measure_tuned(_case(run, plan), artifact, evaluation)
        except Interrupted as stopped:
            raise Interrupted(f"{stopped.message}; {name} goes on running") from None
        except FtctlError as error:
            what = f"{name} is served and could not be measured: {error.message}"
            raise FtctlError(
                what, f"{error.remedy}; ftctl logs {name} shows it, ftctl stop {name} ends it"
            ) from None
    told = {
        "queries": whole.queries,
        "passages": whole.passages,
        "base": None if whole.base is None else dict(whole.base.figures),
        "tuned": {} if whole.tuned is None else dict(whole.tuned.figures),
        "difference": dict(whole.difference),
        "note": whole.note,
    }
    found = hold(run, plan, artifact)
    run.emit("verdict", {**told, **({} if found is None else {"gate": found.record})})
    if found is not None and not found.met:
        raise withdrawn(run, name, found)


def hold(run: RunDir, plan: Plan, artifact: Artifact) -> Verdict | None:
    """What comes of the job's gate, recorded with the run; None where the job has none."""
    gate = plan.job.evaluate.gate if plan.job.evaluate is not None else {}
    if not gate:
        return None
    asked = plan.job.evaluate.compare if plan.job.evaluate is not None else None
    found = verdict(
        gate,
        measured_of(run.path),
        other_of(run.path),
        hashes=artifact.hashes,
        compared="base" if asked in (None, "base") else f"run:{asked}",
        paired=recorded_gains(run.path / EVALUATIONS),
    )
    record(run, found)
    return found


def withdrawn(run: RunDir, name: str, found: Verdict) -> GateNotMet:
    """Stop the deployment of a run whose gate is not met, and say so."""
    entry = store.find(name)
    if entry is not None and entry.ended is None:
        stop(entry)
    return not_met(found, f"{name} was stopped; ftctl deploy {run.path.name} serves it all the same")


def _case(run: RunDir, plan: Plan) -> Case:
    deploy, train = plan.job.deploy, plan.train
    trainer, server = plan.facts.trainer, plan.facts.server
    if deploy is None or train is None or train.retrieval is None or trainer is None or server is None:
        raise ValueError("a plan without training or deployment is judged")
    data = data_of(plan)
    test = relevance_in(run.path, data.eval, data.train)
    return Case(run, plan, test, deploy, trainer, server, train.retrieval, teller(run))


def teller(run: RunDir) -> Callable[[str, Mapping[str, Any]], None]:
    """Passes progress on at a pace that can be read; a stop that was asked for ends the measuring."""
    last = 0.0

    def tell(model: str, data: Mapping[str, Any]) -> None:
        nonlocal last
        if (run.path / STOP).exists():
            raise Interrupted("stopped while measuring")
        if "done" in data and data["done"] < data["total"] and time.monotonic() - last < PACE:
            return
        last = time.monotonic()
        run.emit("judging", {"model": model, **data})

    return tell


@contextmanager
def phase(run: RunDir, name: str) -> Iterator[None]:
    began = time.monotonic()
    run.emit("phase", {"name": name, "state": "started"})
    state = "failed"
    try:
        yield
        state = "done"
    finally:
        seconds = round(time.monotonic() - began, 3)
        run.emit("phase", {"name": name, "state": state, "seconds": seconds})
