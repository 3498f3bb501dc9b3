"""What the rules say without refusing a job: on standard error, and as values for programs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from ftctl.errors import Problem
from ftctl.plan.model import Plan
from ftctl.view.output import say


def warn(warnings: Iterable[Problem]) -> None:
    """What is odd and can still be done, a line each on standard error."""
    for warning in warnings:
        say(str(warning))


def show_warnings(plan: Plan) -> None:
    """Each warning and note in a line, and each rule that the job silences: that is to be seen, while advice
    that is not wanted is none."""
    warn(plan.warnings)
    warn(plan.notes)
    for problem in plan.silenced:
        if problem.kind == "advice":
            continue
        say(str(dataclasses.replace(problem, level="silenced")))
