"""For code scanning: a log of the Static Analysis Results Interchange Format, version 2.1.0 (OASIS)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ftctl import __version__
from ftctl.errors import Problem
from ftctl.view.reports.kinds import description
from ftctl.view.reports.model import Report, kind_of, kinds, path_of, said

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def write(report: Report, base: Path) -> str:
    """The log: one run, one rule a kind of problem or note, one result each; paths relative to `base`."""
    rules = kinds(report)
    driver = {
        "name": "ftctl",
        "version": __version__,
        "rules": [{"id": kind, "shortDescription": {"text": description(kind)}} for kind in rules],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(problem, rules, base) for problem in (*report.problems, *report.notes)],
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, ensure_ascii=False, indent=2) + "\n"


def _result(problem: Problem, rules: list[str], base: Path) -> dict[str, Any]:
    kind, path = kind_of(problem), path_of(problem, base)
    result: dict[str, Any] = {
        "ruleId": kind,
        "ruleIndex": rules.index(kind),
        "level": problem.level,
        "message": {"text": said(problem) if path is not None else str(problem)},
    }
    if path is None:
        return result
    physical: dict[str, Any] = {"artifactLocation": {"uri": uri(path)}}
    if problem.line:
        column = {"startColumn": problem.column} if problem.column else {}
        physical["region"] = {"startLine": problem.line, **column}
    return {**result, "locations": [{"physicalLocation": physical}]}


def uri(path: Path) -> str:
    """A relative or a `file:` reference, escaped (RFC 3986)."""
    return f"file://{quote(str(path))}" if path.is_absolute() else quote(str(path))
