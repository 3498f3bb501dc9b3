"""Tasks of lm-evaluation-harness: what is asked for, what its program is told, and the figures it gives.

A figure is called `task/metric`, after lm-eval's own words; of a task with a filter `task/metric,filter`.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ftctl.judge.scored import Figure

LIBRARY = "lm-eval"
# Two-sided normal quantile of 95 %, by which lm-eval's standard errors become intervals.
SURE = 1.96
SHARES = ("acc", "acc_norm", "exact_match")  # metrics that are 1 or 0 of each question
_PLAIN = re.compile(r"[^A-Za-z0-9_-]+")

Task = Mapping[str, Any]  # task, include, fewshot and limit, None where they are not set


def name_of(task: Task) -> str:
    """What an entry is called: its task, or the folder of which every task is asked."""
    return str(task["task"] or str(task["include"]).rstrip("/").rpartition("/")[2])


def output_of(task: Task, content: str, identity: Mapping[str, Any], system: str | None) -> str:
    """The file of an entry's result: another one where task, its files (`content`) or model are others."""
    asked = [dict(task), content, dict(identity), system]
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    return f"task-{_PLAIN.sub('-', name_of(task))}-{digest[:8]}.json"


def matches(figure: str, tasks: Sequence[Task]) -> bool:
    """Whether a figure may come of these tasks: a group's and a folder's are known only once it was asked."""
    own, _, metric = figure.partition("/")
    named = any(
        task["task"] is None or own == task["task"] or own.startswith(f"{task['task']}_") for task in tasks
    )
    return bool(metric) and named


def figures_of(result: Mapping[str, Any]) -> dict[str, Figure]:
    """The figures of one result; one that came to no number is left out."""
    found: dict[str, Figure] = {}
    for task, figures in {**result["results"], **result["groups"]}.items():
        for name, value, error in _figures(figures):
            metric, _, chosen = name.partition(",")
            shown = f"{task}/{metric}" if chosen in ("", "none") else f"{task}/{name}"
            rows = _rows(result, task)
            low, high = interval(metric, value, error, rows)
            higher = (result["higher_is_better"].get(task) or {}).get(metric)
            found[shown] = Figure(
                value, low, high, rows, "lower" if higher is False else "higher",
                f"{LIBRARY} {result['lm_eval']}", shown, _options(result, task, chosen),
            )  # fmt: skip
    return found


def _figures(figures: Mapping[str, Any]) -> Iterator[tuple[str, float, float | None]]:
    """The name (metric and filter), value and standard error of every figure that is a number."""
    for name, value in figures.items():
        metric, comma, chosen = name.partition(",")
        if not comma or metric.endswith("_stderr") or not _is_number(value):
            continue
        error: Any = figures.get(f"{metric}_stderr,{chosen}")
        yield name, float(value), float(error) if _is_number(error) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _rows(result: Mapping[str, Any], task: str) -> int:
    """How many questions a figure is of; of a group those of its tasks."""
    counts = result["n-samples"]
    if task in counts:
        return int(counts[task]["effective"])
    return sum(int(count["effective"]) for count in counts.values())


def _options(result: Mapping[str, Any], task: str, chosen: str) -> dict[str, Any]:
    """What the figure follows from, beside the model."""
    known = {
        "version": result["versions"].get(task),
        "hash": result["hashes"].get(task),
        "fewshot": result["n-shot"].get(task),
        "filter": None if chosen in ("", "none") else chosen,
        "api": result["api"].get(task),
    }
    return {name: value for name, value in known.items() if value is not None}


def interval(metric: str, value: float, error: float | None, rows: int) -> tuple[float | None, float | None]:
    """The 95 % interval of a figure: its value and 1.96 of lm-eval's standard errors to either side.

    Where all are right or all wrong the standard error is 0 and says nothing: a share then has Wilson's
    interval (Wilson 1927).
    """
    share = metric in SHARES and 0 <= value <= 1 and rows > 0
    if share and value in (0.0, 1.0):
        edge = SURE**2 / (rows + SURE**2)
        return (0.0, edge) if value == 0.0 else (1.0 - edge, 1.0)
    if error is None:
        return None, None
    low, high = value - SURE * error, value + SURE * error
    return (max(low, 0.0), min(high, 1.0)) if share else (low, high)
