"""Advice as it is told: of a plan as problems of the level `note`, of a training as events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from ftctl.advice.table import BY_NAME
from ftctl.errors import Problem, printable
from ftctl.job.model import Job, problem_at

NOTE = "note"


def told(job: Job, name: str, seen: str) -> Problem:
    """The note of that name about a job, at the key that it points to."""
    note = BY_NAME[name]
    made = problem_at(job, note.key, f"{seen}: {note.cited}", note.remedy)
    return printable(replace(made, kind="advice", level=NOTE, rule=name))


def as_event(name: str, seen: str) -> dict[str, Any]:
    """The data of a `note` event."""
    note = BY_NAME[name]
    return {"name": name, "message": f"{seen}: {note.cited}", "remedy": note.remedy, **why(name)}


def as_data(problem: Problem) -> dict[str, Any]:
    """A note for programs: the problem's own fields, and why."""
    return {**asdict(problem), **why(problem.rule)}


def why(name: str) -> Mapping[str, Any]:
    """The reason and the sources of the note of that name; of one that is no more, nothing."""
    note = BY_NAME.get(name)
    return {} if note is None else {"reason": note.reason, "sources": [asdict(one) for one in note.sources]}
