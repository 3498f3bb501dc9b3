"""For GitHub Actions: workflow commands, which it shows beside the lines of a pull request.

Source of the form and the escapes: GitHub's "Workflow commands" and actions/toolkit's command.ts.
"""

from __future__ import annotations

from pathlib import Path

from ftctl.errors import Problem
from ftctl.view.reports.model import Report, kind_of, path_of, said

LEVELS = {"note": "notice"}  # GitHub's own word


def write(report: Report, base: Path) -> str:
    """One `::error …::message` or `::warning …` a problem, one `::notice …` a note; paths are relative to
    `base`, the checkout."""
    return "".join(f"{_command(problem, base)}\n" for problem in (*report.problems, *report.notes))


def _command(problem: Problem, base: Path) -> str:
    path = path_of(problem, base)
    text = said(problem) if path is not None else str(problem)
    properties = {"file": path, "line": problem.line, "col": problem.column} if path is not None else {}
    shown = {**properties, "title": f"ftctl {kind_of(problem)}"}
    listed = ",".join(f"{name}={_property(str(value))}" for name, value in shown.items() if value)
    return f"::{LEVELS.get(problem.level, problem.level)} {listed}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
