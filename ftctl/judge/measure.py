"""Measures the base model and the trained one through served endpoints, and records both with the run."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ftctl.artifacts.model import Artifact
from ftctl.deployments import store
from ftctl.deployments.model import Deployment
from ftctl.deployments.planned import planned
from ftctl.deployments.store import Entry
from ftctl.errors import FtctlError
from ftctl.facts.model import EngineFacts
from ftctl.facts.model_dir import model_facts
from ftctl.job.model import Deploy
from ftctl.judge.base import (
    BY_QUERY,
    EVALUATION,
    base_folder,
    check_head,
    key_of,
    lay_out,
    measured_before,
)
from ftctl.judge.figures import Figures, figures_of
from ftctl.judge.model import Evaluation, Measured, difference
from ftctl.judge.relevance import Relevance
from ftctl.judge.serving import name_of, served_for_a_while
from ftctl.leases.hold import held_here
from ftctl.plan.model import Plan, RetrievalPlan, ServePlan
from ftctl.record import from_record, to_record
from ftctl.run.directory import RunDir

Tell = Callable[[str, Mapping[str, Any]], None]  # told: which model, and what of it


@dataclass(frozen=True)
class Case:
    """What both measurements share. `tell` may raise to end them."""

    run: RunDir
    plan: Plan
    test: Relevance
    deploy: Deploy
    trainer: EngineFacts
    server: EngineFacts
    retrieval: RetrievalPlan
    tell: Tell

    @property
    def empty(self) -> Evaluation:
        """The evaluation with nothing measured yet."""
        task = self.plan.job.train.task if self.plan.job.train is not None else ""
        test = self.test
        return Evaluation(task, len(test.queries), len(test.passages), test.digest, test.seen)


def measure_base(case: Case, tuned: Artifact) -> Evaluation:
    """Serve the base model for a while as `tuned` will be served, measure it, and stop it, whatever happens.

    Figures of an earlier attempt or run are taken where they follow from the very same. What was measured is
    recorded.
    Raises FtctlError where the base model cannot be served.
    """
    with scratch_in(case.run.path) as scratch:
        source = base_folder(case.plan, os.environ)
        artifact = lay_out(source, scratch / "base", case.retrieval, tuned)
        serve, wanted = _planned(case, artifact), _planned(case, tuned)
        check_head(serve, wanted.kind)
        key = key_of(artifact, serve, case.deploy.native, _engine(case.server), case.test.digest)
        before = measured_before(case.run.path.parent.parent, key, case.run.path)
        if before is not None:
            return _reused(case, *before)
        began = time.monotonic()
        with _served(case, artifact) as entry:
            figures = _figures(case, "base", entry.deployment, scratch)
        measured = Measured(
            model=str(source),
            figures=figures.mean,
            server=_server(case, serve),
            hashes=artifact.hashes,
            key=key,
            seconds=round(time.monotonic() - began, 1),
        )
    return _record(
        case, replace(case.empty, library=figures.library, base=measured), {"base": figures.by_query}
    )


def measure_tuned(case: Case, artifact: Artifact, evaluation: Evaluation) -> Evaluation:
    """Measure the run's own deployment, add it to what is known of the base, and record both.

    Raises FtctlError where the deployment does not answer.
    """
    entry = store.get(case.deploy.name or case.plan.job.name)
    serve, began = _planned(case, artifact), time.monotonic()
    with scratch_in(case.run.path) as scratch:
        figures = _figures(case, "tuned", entry.deployment, scratch)
    measured = Measured(
        model=str(artifact.path),
        figures=figures.mean,
        server=_server(case, serve),
        hashes=artifact.hashes,
        key=key_of(artifact, serve, case.deploy.native, _engine(case.server), case.test.digest),
        seconds=round(time.monotonic() - began, 1),
    )
    whole = replace(
        evaluation,
        library=figures.library,
        tuned=measured,
        difference=difference(evaluation.base, measured),
    )
    return _record(case, whole, {"tuned": figures.by_query})


def _planned(case: Case, artifact: Artifact) -> ServePlan:
    return planned(
        artifact,
        case.deploy,
        case.deploy.name or case.plan.job.name,
        model_facts(artifact.path),
        case.plan.facts.machine,
        case.server,
        trust=case.plan.job.model.trust_remote_code,
    )


def _figures(case: Case, which: str, deployment: Deployment, scratch: Path) -> Figures:
    return figures_of(
        deployment,
        store.key_of(store.get(deployment.name)),
        case.test,
        python=case.trainer.python,
        folder=scratch,
        tell=lambda done, total: case.tell(which, {"done": done, "total": total}),
    )


def _served(case: Case, artifact: Artifact) -> AbstractContextManager[Entry]:
    """The base model, served for as long as it is asked."""
    return served_for_a_while(
        artifact,
        case.deploy,
        name=name_of(case.deploy.name or case.plan.job.name, "base", case.run.path.name),
        engine=case.server,
        machine=case.plan.facts.machine,
        lease=held_here(),
        say=lambda detail: case.tell("base", {"detail": detail}),
        trust_remote_code=case.plan.job.model.trust_remote_code,
    )


def _server(case: Case, serve: ServePlan) -> dict[str, Any]:
    """How a model was served, as far as its vectors or scores depend on it."""
    names = ("dtype", "max_length", "kind", "pooling", "normalize", "head",
             "query_prompt", "query_suffix", "passage_prompt")  # fmt: skip
    said = {name: value for name in names if (value := getattr(serve, name)) is not None}
    return {"engine": _engine(case.server), "devices": list(serve.devices), **said}


def _engine(engine: EngineFacts) -> str:
    return f"{engine.name} {engine.version or 'of unknown version'} ({engine.variant})"


def _reused(case: Case, run: Path, record: Mapping[str, Any]) -> Evaluation:
    base = from_record(Measured, record["base"])
    if run != case.run.path:
        base = replace(base, reused_from=run.name)
    by_query = (RunDir(run).read_json(BY_QUERY) or {}).get("base")
    evaluation = replace(case.empty, library=str(record.get("library", "")), base=base)
    return _record(case, evaluation, {} if by_query is None else {"base": by_query})


def _record(case: Case, evaluation: Evaluation, by_query: Mapping[str, Any]) -> Evaluation:
    """Write what is known so far: figures of the base serve other runs even if this one comes to nothing."""
    known = case.run.read_json(BY_QUERY) or {"queries": dict(case.test.queries)}
    case.run.write_json(BY_QUERY, {**known, **by_query})
    case.run.write_json(EVALUATION, {"version": 1, **to_record(evaluation)})
    return evaluation


@contextmanager
def scratch_in(run: Path) -> Iterator[Path]:
    """A folder for what lies between, on the run's own disk: vectors may be many."""
    folder = Path(tempfile.mkdtemp(prefix=".judging.", dir=run))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def without_base(case: Case, error: FtctlError) -> Evaluation:
    """The evaluation of a run whose base model cannot be measured, and why."""
    return _record(case, replace(case.empty, note=str(error.message)), {})
