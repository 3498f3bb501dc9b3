"""What the rules say without refusing a job: on standard error, and as values for programs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from ftctl.errors import Problem
from ftctl.plan.model import Plan
from ftctl.view.output import say


def show_warnings(plan: Plan) -> None:
    """Each warning in a line, and each rule that the job silences: a silence is to be seen."""
    for problem in plan.warnings:
        say(str(problem))
    for problem in plan.silenced:
        say(str(dataclasses.replace(problem, level="silenced")))


def listed(problems: Iterable[Problem]) -> list[dict[str, Any]]:
    """The problems as JSON values."""
    return [dataclasses.asdict(problem) for problem in problems]
