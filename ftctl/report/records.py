"""Read what a run keeps of itself for its report; what is not there or cannot be read is None or empty."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftctl.events import Event
from ftctl.judge.measured import Measurement
from ftctl.judge.model import Evaluation
from ftctl.judge.records import BASE, EVALUATIONS, TUNED, measured_of
from ftctl.plan.model import Plan
from ftctl.report.asked import Asked, asked
from ftctl.report.measured import Measure, measures
from ftctl.run.checkpoints import OUTPUT, Checkpoint, checkpoints
from ftctl.run.directory import RunDir
from ftctl.run.records import plan_of
from ftctl.run.state import RunState, state_of
from ftctl.view.comparison import evaluation_of


@dataclass(frozen=True)
class Answers:
    """The evaluation of one model: what was asked, and the figures."""

    request: Mapping[str, Any]
    figures: Mapping[str, Any]


@dataclass(frozen=True)
class Records:
    """A run, as it recorded itself. `ended` has how each attempt ended that another followed."""

    folder: Path
    state: RunState
    identity: Mapping[str, Any]
    plan: Plan | None
    job: str
    events: tuple[Event, ...]
    ended: tuple[Mapping[str, Any], ...] = ()
    checkpoints: tuple[Checkpoint, ...] = ()
    artifact: Mapping[str, Any] | None = None
    retrieval: Evaluation | None = None
    queries: Mapping[str, Any] | None = None
    tuned: Measurement | None = None
    base: Measurement | None = None
    measures: tuple[Measure, ...] = ()
    answers: Mapping[str, Answers] = field(default_factory=dict)
    comparison: Mapping[str, Any] | None = None
    asked: Mapping[str, Asked] = field(default_factory=dict)
    verdict: Mapping[str, Any] | None = None
    split: Mapping[str, Any] | None = None

    def newest(self, kind: str, **having: Any) -> Mapping[str, Any] | None:
        """The fields of the last event of a kind, with these values among them."""
        fitting = (
            event.data
            for event in reversed(self.events)
            if event.kind == kind and all(event.data.get(name) == value for name, value in having.items())
        )
        return next(fitting, None)


def read(folder: Path, *, examples: int = 0) -> Records:
    """The records of the run in `folder`, with up to so many examples of questions and answers."""
    run = RunDir(folder)
    plan = _plan(run)
    answers = {name: found for name in (BASE, TUNED) if (found := _answers(run, name)) is not None}
    tuned, base = (measured_of(folder, name) for name in (TUNED, BASE))
    comparison = _object(run, f"{EVALUATIONS}/comparison.json")
    return Records(
        folder=folder,
        state=state_of(folder),
        identity=_object(run, "run.json") or {},
        plan=plan,
        job=_text(folder / "job.yaml"),
        events=tuple(run.events()),
        ended=tuple(_object(run, f"exit-{number}.json") or {} for number in range(1, run.attempt())),
        checkpoints=checkpoints(folder / OUTPUT, plan.train.world_size if plan and plan.train else 1),
        artifact=_object(run, "artifact.json"),
        retrieval=_retrieval(run),
        queries=_object(run, "evaluation_queries.json"),
        tuned=tuned,
        base=base,
        measures=measures(tuned, base, comparison or {}),
        answers=answers,
        comparison=comparison,
        asked=_asked(run, comparison, tuple(answers), examples) if examples else {},
        verdict=_object(run, "verdict.json"),
        split=_object(run, "data/split.json"),
    )


def _plan(run: RunDir) -> Plan | None:
    try:
        return plan_of(run)
    except (TypeError, ValueError):
        return None


def _retrieval(run: RunDir) -> Evaluation | None:
    try:
        return evaluation_of(run)
    except (TypeError, ValueError):
        return None


def _object(run: RunDir, name: str) -> Mapping[str, Any] | None:
    value = run.read_json(name)
    return value if isinstance(value, dict) else None


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def _answers(run: RunDir, name: str) -> Answers | None:
    figures = _object(run, f"{EVALUATIONS}/{name}/figures.json")
    if figures is None:
        return None
    return Answers(_object(run, f"{EVALUATIONS}/{name}/request.json") or {}, figures)


def _asked(
    run: RunDir, comparison: Mapping[str, Any] | None, names: tuple[str, ...], most: int
) -> dict[str, Asked]:
    """The questions whose answers changed most, else the first ones, with every model's answer."""
    folders = {name: run.path / EVALUATIONS / name for name in names}
    changed = [str(one.get("id")) for one in (comparison or {}).get("changed") or () if isinstance(one, dict)]
    return asked(folders, tuple(dict.fromkeys(changed)), most)
