"""Scores every row of an evaluation and writes `scores.jsonl`, `statistics.npz` and `figures.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from .bootstrap import Value, Way, intervals
from .figures import Figure
from .rows import Evaluation, Row
from .scorer import Scorer, Tell
from .speed import Speed
from .table import METRICS

FEW = 30  # rows under which a percentile interval is known to be too narrow


@dataclass
class Answers:
    """How many questions were asked, answered, failed, answered with nothing, and cut at the length."""

    asked: int = 0
    answered: int = 0
    errors: int = 0
    empty: int = 0
    cut: int = 0

    def look(self, row: Row) -> None:
        """Count a row."""
        self.asked += 1
        said = row.answered or (row.called and row.error is None)
        self.answered += said
        self.errors += row.error is not None
        self.empty += row.error is None and not said
        self.cut += row.error is None and row.finish_reason == "length"


@dataclass
class Counted:
    """What comes of all rows: figures by the names that the job gives them, and what is to be said."""

    figures: dict[str, Figure] = field(default_factory=dict)
    about: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    unscored: dict[str, str] = field(default_factory=dict)
    answers: Answers = field(default_factory=Answers)
    speed: Speed = field(default_factory=Speed)


def score(request: Mapping[str, Any], tell: Tell) -> None:
    """Do what the request asks: `folder`, `metrics` (`metric`, `options`, `figures`: own name to given name,
    `better`), `confidence`, `resamples`, `seed`, `seconds` of asking, and `server`. Raises Refused."""
    folder = Path(request["folder"])
    rows = Evaluation(folder)
    with TemporaryDirectory(prefix=".scoring-", dir=folder) as scratch:
        counted = _counted(rows, request, folder, Path(scratch), tell)
    way = Way(request["confidence"], request["resamples"], request["seed"])
    tell("intervals", 0, 1)
    values = intervals(counted.figures, len(rows), way)
    _keep_statistics(folder, rows.ids, counted.figures)
    written = {name: _shown(value, counted, name) for name, value in values.items()}
    for name, value in counted.speed.throughput(request.get("seconds")).items():
        written[name] = _shown(value, counted, name)
    missing = {name: _why(name, counted) for name, one in written.items() if one["value"] is None}
    flat = [name for name, one in written.items() if one["low"] is not None and one["low"] == one["high"]]
    if flat and len(rows) > 1:
        counted.notes.append(f"the same on every row, so that the interval says nothing: {', '.join(flat)}")
    if len(rows) < FEW:
        counted.notes.append(f"{len(rows)} rows are few: the intervals are too narrow")
    record = {
        "version": 1,
        "figures": {name: one for name, one in written.items() if one["value"] is not None},
        "missing": missing,
        "unscored": counted.unscored,
        "confidence": way.confidence,
        "resamples": way.resamples,
        "seed": way.seed,
        "answers": vars(counted.answers),
        "notes": counted.notes,
    }
    _write(folder / "figures.json", json.dumps(record, ensure_ascii=False, indent=2) + "\n")
    tell("intervals", 1, 1)


def _counted(
    rows: Evaluation, request: Mapping[str, Any], folder: Path, scratch: Path, tell: Tell
) -> Counted:
    """One pass over the rows, after what a metric must do before it."""
    counted, scorers = Counted(), list[tuple[Mapping[str, Any], Scorer]]()
    try:
        for asked in request["metrics"]:
            scorers.append((asked, METRICS[asked["metric"]](asked["options"], scratch, request)))
        for _, scorer in scorers:
            scorer.prepare(rows, len(rows), tell)
        _score_rows(rows, scorers, counted, folder / "scores.jsonl", tell)
        for asked, scorer in scorers:
            for own, figure in scorer.figures().items():
                name = asked["figures"][own]
                counted.figures[name] = figure
                if scorer.unscored:
                    counted.unscored[name] = scorer.unscored
                counted.about[name] = {"better": asked["better"], "library": scorer.library,
                                       "metric": asked["metric"], "options": asked["told"]}  # fmt: skip
            counted.notes += scorer.notes
    finally:
        for _, scorer in scorers:
            scorer.close()
    counted.figures.update(counted.speed.figures())
    return counted


def _score_rows(
    rows: Evaluation,
    scorers: list[tuple[Mapping[str, Any], Scorer]],
    counted: Counted,
    path: Path,
    tell: Tell,
) -> None:
    new = path.with_suffix(".new")
    with open(new, "w", encoding="utf-8") as file:
        for done, row in enumerate(rows):
            if done % 100 == 0:
                tell("scores", done, len(rows))
            counted.answers.look(row)
            counted.speed.look(row)
            scores: dict[str, float | None] = {}
            for asked, scorer in scorers:
                scores.update(zip(asked["figures"].values(), scorer.score(row), strict=True))
            file.write(json.dumps({"id": row.id, "scores": scores}) + "\n")
    new.replace(path)
    tell("scores", len(rows), len(rows))


def _shown(value: Value, counted: Counted, name: str) -> dict[str, Any]:
    """A figure as figures.json has it."""
    about = counted.about.get(name, {"better": "lower" if name.startswith("latency") else "higher",
                                     "library": "ftctl", "metric": "speed", "options": {}})  # fmt: skip
    figure = counted.figures.get(name)
    rows = counted.answers.asked if figure is None else figure.rows()
    return {"value": value.value, "low": value.low, "high": value.high, "rows": rows, **about}


def _why(name: str, counted: Counted) -> str:
    """Why a figure could not be computed."""
    if name.startswith("latency"):
        return f"{counted.answers.errors} of {counted.answers.asked} questions failed, which is endless"
    own = [note for note in counted.notes if note.startswith(f"{counted.about[name]['metric']}: ")]
    figure = counted.figures[name]
    return own[0] if own else "no row has a reference" if figure.rows() == 0 else "it could not be computed"


def _keep_statistics(folder: Path, ids: list[str], figures: Mapping[str, Figure]) -> None:
    """What every row adds to each figure, for a paired comparison later."""
    arrays = {
        f"{name}/{part}": array for name, one in figures.items() for part, array in one.arrays().items()
    }
    new = folder / "statistics.new.npz"
    np.savez(new, ids=np.array(ids, dtype=np.str_), **arrays)
    new.replace(folder / "statistics.npz")


def _write(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)
