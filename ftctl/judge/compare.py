"""`ftctl compare`: finds what was measured of runs, their bases and in folders, and holds it side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftctl.errors import UsageError
from ftctl.judge.comparing import Beside, beside
from ftctl.judge.measured import Measurement, gains
from ftctl.judge.records import BASE, EVALUATIONS, TUNED, measured_in, measured_of
from ftctl.judge.texts import Said, said
from ftctl.judge.verdict import Paired, recorded_gains
from ftctl.run.compare import differing
from ftctl.run.directory import RunDir
from ftctl.run.find import find
from ftctl.run.state import RunState, state_of

OF_BASE = ":base"


@dataclass(frozen=True)
class Subject:
    """One of those that are compared. `folder` holds the records of its rows, `state` is of its run."""

    name: str
    folder: Path
    measured: Measurement | None
    model: str = TUNED
    state: RunState | None = None


@dataclass(frozen=True)
class Compared:
    """All that there is to say. `others` are beside the first, in order; `differs` has section, key and the
    value of each run; `texts` has what is known of the rows that changed, for each subject."""

    subjects: tuple[Subject, ...]
    others: tuple[Beside, ...]
    differs: tuple[tuple[str, str, tuple[Any, ...]], ...]
    texts: tuple[Mapping[str, Said], ...]


def compare(names: Sequence[str], metric: str | None, examples: int) -> Compared:
    """Compare what `names` stand for: runs, RUN:base, or folders of evaluations; one run with its own base.

    Raises UsageError where there is no such run, or where `metric` was not measured.
    """
    subjects = tuple(map(_subject, [f"{names[0]}{OF_BASE}", *names] if len(names) == 1 else names))
    _check_metric(subjects, metric)
    first, others = subjects[0], subjects[1:]
    found = tuple(_beside(first, other, metric, examples) for other in others)
    rows = {change.row for one in found for change in one.changed}
    runs = [Path(one.state.directory) for one in subjects if one.state is not None]
    alike = len(runs) < len(subjects) or len(set(runs)) < len(runs)
    differs = () if alike else differing(runs)
    return Compared(subjects, found, differs, tuple(said(one.folder, rows) for one in subjects))


def _beside(first: Subject, other: Subject, metric: str | None, examples: int) -> Beside:
    if first.measured is None or other.measured is None:
        missing = first if first.measured is None else other
        return Beside(other.name, {}, why=f"{missing.name} was not measured")
    return beside(first.measured, other.measured, metric, examples, _gains(first, other))


def _gains(first: Subject, other: Subject) -> Paired:
    """The differences that a run records from its own base, so that they are the same wherever they are
    shown; else they are drawn from the rows."""
    evaluations = other.folder.parent
    record = RunDir(evaluations).read_json("comparison.json") or {}
    named = [(record.get(side) or {}).get("name") for side in ("a", "b")]
    own = first.folder.parent == evaluations and [first.folder.name, other.folder.name] == named
    return recorded_gains(evaluations) if own else gains


def _subject(text: str) -> Subject:
    if (Path(text) / "figures.json").is_file():
        return Subject(Path(text).name, Path(text), measured_in(Path(text), Path(text).name))
    model = BASE if text.endswith(OF_BASE) else TUNED
    run = find(text.removesuffix(OF_BASE))
    state = state_of(run)
    name = f"{state.name} {state.id}{OF_BASE if model == BASE else ''}"
    answers = run / EVALUATIONS / model
    folder = answers if answers.is_dir() else run
    return Subject(name, folder, measured_of(run, model, name), model, state)


def _check_metric(subjects: Sequence[Subject], metric: str | None) -> None:
    known = [name for one in subjects if one.measured is not None for name in one.measured.values]
    if metric is not None and metric not in known:
        listed = ", ".join(dict.fromkeys(known)) or "there are no figures"
        raise UsageError(f"--metric {metric}: it was not measured", listed)
