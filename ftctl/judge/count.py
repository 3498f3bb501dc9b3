"""Counts the figures of an evaluation."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from ftctl.job.model import Evaluate
from ftctl.judge.ask_chat import PREDICTIONS, Endpoint
from ftctl.judge.evaluate import FIGURES, write


def count(
    folder: Path, block: Evaluate, python: Path, endpoint: Endpoint, tell: Callable[[str], None]
) -> None:
    """PLACEHOLDER until F's branch: exact_match alone."""
    last = {}
    for line in (folder / PREDICTIONS).read_text().splitlines():
        value = json.loads(line)
        last[value["id"]] = value
    rows = list(last.values())
    right = [not one["error"] and (one["prediction"] or "").strip() == one["reference"] for one in rows]
    errors = sum(one["error"] is not None for one in rows)
    empty = sum(one["error"] is None and not (one["prediction"] or "").strip() for one in rows)
    cut = sum(one["finish_reason"] == "length" for one in rows)
    value = sum(right) / len(rows)
    figure = {"value": value, "low": value, "high": value, "rows": len(rows), "better": "higher"}
    answers = {
        "asked": len(rows),
        "answered": len(rows) - errors - empty,
        "errors": errors,
        "empty": empty,
        "cut": cut,
    }
    write(
        folder / FIGURES, {"version": 1, "figures": {"exact_match": figure}, "answers": answers, "notes": []}
    )
