"""Reads what a run measured of its model and of the base: an embedder's queries, or a model's answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ftctl.errors import UsageError
from ftctl.judge.base import BY_QUERY, EVALUATION
from ftctl.judge.gate import Figure
from ftctl.judge.measured import Measurement
from ftctl.run.directory import RunDir
from ftctl.run.find import lookup, runs_of

EVALUATIONS = "evaluations"
TUNED, BASE = "tuned", "base"


def measured_of(run: Path, model: str = TUNED, name: str = "") -> Measurement | None:
    """What the run measured of its `model` (tuned or base), to be called `name`; None where it did not."""
    name = name or run.name
    return measured_in(run / EVALUATIONS / model, name) or _queries(RunDir(run), model, name)


def other_of(run: Path) -> Callable[[str], Measurement | str]:
    """What `base` and `run:NAME` stand for in a gate of `run`: what was measured, or why nothing was."""

    def find(other: str) -> Measurement | str:
        if other == BASE:
            return measured_of(run, BASE, BASE) or _no_base(RunDir(run))
        name = other.removeprefix("run:")
        return _named(name, other, run) or f"no run called {name} was measured"

    return find


def _named(name: str, shown: str, own: Path) -> Measurement | None:
    """The newest run of the job called `name` that was measured, `own` aside; else the run of that id."""
    for run in runs_of(name):
        if run != own and (found := measured_of(run, TUNED, shown)) is not None:
            return found
    try:
        one = lookup(name)
    except UsageError:  # a part of an id that fits several
        return None
    return None if one is None or one == own else measured_of(one, TUNED, shown)


def _no_base(run: RunDir) -> str:
    note = (run.read_json(EVALUATION) or {}).get("note")
    return f"the base model was not measured{f': {note}' if note else ''}"


def measured_in(folder: Path, name: str) -> Measurement | None:
    """The figures of a language model's answers, with their intervals, in an evaluation's folder."""
    records = RunDir(folder)
    figures, request = records.read_json("figures.json"), records.read_json("request.json")
    if not isinstance(figures, dict) or not isinstance(request, dict):
        return None
    found = {key: figure_of(value) for key, value in figures.get("figures", {}).items()}
    known = {key: figure for key, figure in found.items() if figure is not None}
    values = {key: figure.value for key, figure in known.items()}
    lower = frozenset(key for key, value in figures["figures"].items() if key in known and _lower(value))
    rows = dict(_scores(folder / "scores.jsonl"))
    missing = figures.get("missing") or {}
    unscored = figures.get("unscored") or {}
    test, flaw = str(request.get("digest", "")), unanswered(records)
    return Measurement(name, test, values, rows, known, lower, missing, flaw, unscored)


def unanswered(evaluation: RunDir) -> str:
    """Says it where more questions than its job allows have got no answer; else empty. They count as the
    worst, so that nothing may be held against these figures."""
    answers = (evaluation.read_json("figures.json") or {}).get("answers") or {}
    asked, errors = int(answers.get("asked") or 0), int(answers.get("errors") or 0)
    allowed = float((evaluation.read_json("request.json") or {}).get("max_errors") or 0)
    return f"{errors} of {asked} questions got no answer" if errors > allowed * asked else ""


def _lower(value: Mapping[str, Any]) -> bool:
    return value.get("better") == "lower"


def _scores(path: Path) -> Iterator[tuple[str, dict[str, float]]]:
    """The scores of each question, what does not apply to it left out."""
    for line in lines_of(path):
        scores = line.get("scores") or {}
        yield str(line.get("id")), {name: float(score) for name, score in scores.items() if score is not None}


def lines_of(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a file of JSON Lines, a torn one left out; none where it is not there."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for text in file:
                try:
                    value = json.loads(text)
                except ValueError:
                    continue
                if isinstance(value, dict):
                    yield value
    except FileNotFoundError:
        return


def figure_of(value: Any, key: str = "value") -> Figure | None:
    """A recorded figure, its number under `key`; None where it has none."""
    parts = (key, "low", "high")
    numbers: list[Any] = [value.get(part) if isinstance(value, dict) else None for part in parts]
    whole = all(number is None or isinstance(number, int | float) for number in numbers)
    return Figure(*numbers) if whole and numbers[0] is not None else None


def _queries(run: RunDir, model: str, name: str) -> Measurement | None:
    """The figures of an embedder's or a reranker's queries, and those of each query."""
    record = run.read_json(EVALUATION)
    measured = record.get(model) if isinstance(record, dict) else None
    if not isinstance(measured, dict):
        return None
    rows = (run.read_json(BY_QUERY) or {}).get(model) or {}
    return Measurement(name, str(record.get("test", "")), measured.get("figures") or {}, rows)
