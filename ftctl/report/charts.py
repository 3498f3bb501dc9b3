"""Have a report's charts drawn by matplotlib, in the judge's environment."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ftctl.errors import FtctlError, Missing
from ftctl.paths import PACKAGE
from ftctl.process import run
from ftctl.rendered import environment
from ftctl.report.curves import CHARTS, request, shown
from ftctl.report.measured import interval_chart
from ftctl.report.records import Records

PROGRAM = PACKAGE / "inside" / "report_charts.py"


def wanted(records: Records) -> list[dict[str, Any]]:
    """Every chart that the run has figures for."""
    curves = [request(records.events, chart) for chart in CHARTS if shown(records.events, chart)]
    intervals = interval_chart(records.measures)
    return curves if intervals is None else [*curves, intervals]


def draw(
    charts: Sequence[Mapping[str, Any]], form: str, out: Path, python: Path
) -> tuple[dict[str, Path], list[str]]:
    """Draw into the folder `out`, which exists: each chart's file by its name, and notes for people.

    `form` is inline (SVG for a page), svg (a file) or png; `python` is the judge's interpreter. Raises
    Missing where it lacks matplotlib, FtctlError where nothing can be drawn.
    """
    out = out.absolute()
    asked = out / ".charts.json"
    asked.write_text(json.dumps({"form": form, "out": str(out), "charts": charts}), encoding="utf-8")
    # matplotlib keeps a list of fonts in its settings folder, which may be none that can be written.
    env = environment(os.environ, {"PYTHONPATH": None, "MPLBACKEND": None})
    done = run((str(python), str(PROGRAM), str(asked)), cwd=out, env=env)
    asked.unlink(missing_ok=True)
    if done.code:
        words = done.err.strip().splitlines()[-1:] or ["no word"]
        if "No module named 'matplotlib'" in words[0]:
            raise Missing(f"{python} has no matplotlib, which draws the charts", "install it there")
        raise FtctlError(
            f"the charts could not be drawn: {words[0]}",
            "`report --no-charts` does without, `plot --json` gives the numbers",
        )
    told = [json.loads(line) for line in done.out.splitlines() if line.startswith("{")]
    return {one["name"]: Path(one["file"]) for one in told}, [note for one in told for note in one["notes"]]
