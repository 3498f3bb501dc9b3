"""Curves of one or several runs: as a drawing for a terminal, as a picture, or as numbers."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftctl.errors import FtctlError, UsageError
from ftctl.paths import PACKAGE
from ftctl.process import run
from ftctl.rendered import environment
from ftctl.report.charts import draw
from ftctl.report.curves import drawn, in_unit
from ftctl.report.series import Series, known, series, smoothed
from ftctl.report.words import harmless
from ftctl.run.directory import RunDir

PROGRAM = PACKAGE / "inside" / "terminal_chart.py"
PICTURES = {".svg": "svg", ".png": "png"}


@dataclass(frozen=True)
class Curve:
    """A run's line of one figure. `label` names the run, and the figure where several are drawn."""

    run: Path
    label: str
    line: Series


def curves(runs: Sequence[Path], metrics: Sequence[str], by: str) -> tuple[list[Curve], list[str]]:
    """The lines that the runs have, and a sentence for each that one has not. Raises UsageError for a figure
    that is not known, and where there is no line at all."""
    found: list[Curve] = []
    missing: list[str] = []
    for path in runs:
        events = tuple(RunDir(path).events())
        for metric in metrics:
            line = series(events, metric, by)
            name = f"{path.parent.name} {path.name}" if len(runs) > 1 else path.parent.name
            if line is None:
                missing.append(f"{path.name} reported no {known(metric).title}")
                continue
            label = f"{name}, {known(metric).title}" if len(metrics) > 1 else name
            found.append(Curve(path, harmless(label), line))
            if line.lost:
                missing.append(f"{path.name}: {line.lost} values of {metric} are no number and are not drawn")
    if not found:
        raise UsageError("; ".join(missing), "see `ftctl watch RUN` for what it reports")
    return found, missing


def as_data(found: Sequence[Curve], by: str, window: int) -> dict[str, Any]:
    """Every point of the lines, and of their averages where they were asked for."""
    return {
        "by": by,
        "smooth": window,
        "series": [
            {
                "run": one.run.name,
                "name": one.run.parent.name,
                "metric": one.line.name,
                "x": one.line.x,
                "y": one.line.y,
                **({"smoothed": smoothed(one.line.y, window)} if window > 1 else {}),
            }
            for one in found
        ],
    }


def in_terminal(
    found: Sequence[Curve], python: Path, *, by: str, window: int, size: tuple[int, int], colour: bool
) -> str:
    """The lines drawn with characters, `size` wide and high. Raises FtctlError where it cannot be drawn."""
    lines = [
        {
            "label": one.label,
            "x": one.line.x,
            "y": smoothed(in_unit(one.line).y, window),
        }
        for one in found
    ]
    head = {"title": _title(found, window), "x_label": _axis(by), "time": by == "time", "colour": colour}
    asked = {**head, "width": size[0], "height": size[1], "lines": lines}
    # It looks up the size of its terminal, and would cut what is larger.
    env = {"PYTHONPATH": None, "COLUMNS": str(size[0]), "LINES": str(size[1] + 2), "PYTHONUTF8": "1"}
    with tempfile.TemporaryDirectory(prefix="ftctl-plot-") as scratch:
        request = Path(scratch) / "request.json"
        request.write_text(json.dumps(asked), encoding="utf-8")
        argv = (str(python), str(PROGRAM), str(request))
        done = run(argv, cwd=request.parent, env=environment(os.environ, env))
    if done.code:
        words = done.err.strip().splitlines()[-1:] or ["no word"]
        raise FtctlError(f"the curves could not be drawn: {words[0]}", "--json gives the numbers")
    return "\n".join(line.rstrip() for line in done.out.rstrip("\n").splitlines())


def picture(found: Sequence[Curve], file: Path, python: Path, *, by: str, window: int) -> list[str]:
    """Draw the lines into a file, SVG or PNG by its ending, whole or not at all; notes for people.

    Raises UsageError where it is neither or cannot be written.
    """
    form = PICTURES.get(file.suffix.lower())
    if form is None:
        raise UsageError(f"{file}: a picture is SVG or PNG", "name a file in .svg or .png")
    lines = [line for number, one in enumerate(found, 1) for line in _drawn(one, number, window)]
    chart = {
        "name": "curves",
        "title": _title(found, window),
        "about": f"{_title(found, window)} by {_axis(by)}",
        "x_label": _axis(by),
        "time": by == "time",
        "zero": all(y >= 0 for one in found for y in one.line.y),
        "size": (7.2, 4.2),
        "lines": lines,
    }
    try:
        with tempfile.TemporaryDirectory(prefix=f".{file.stem}.", dir=file.parent) as scratch:
            drawings, notes = draw([chart], form, Path(scratch), python)
            drawings["curves"].replace(file)
    except OSError as error:
        raise UsageError(f"{file}: cannot be written: {error.strerror}", "choose another --output") from error
    return notes


def _drawn(one: Curve, number: int, window: int) -> list[dict[str, Any]]:
    label = None if window > 1 and one.line.name != "eval_loss" else one.label
    return drawn(in_unit(one.line), number, window, label, one.label)


def _title(found: Sequence[Curve], window: int) -> str:
    """The figures that are drawn, and over how many points they are averaged."""
    titles = (known(one.line.name) for one in found)
    named = (f"{one.title} (GiB)" if one.unit == "bytes" else one.title for one in titles)
    return ", ".join(dict.fromkeys(named)) + (f", mean of {window} points" if window > 1 else "")


def _axis(by: str) -> str:
    return "training time" if by == "time" else "step"
