"""What a plan has decided so far, and what turned out to be impossible."""

from __future__ import annotations

from dataclasses import dataclass

from ftctl.errors import Problem
from ftctl.job.model import Job, problem_at
from ftctl.plan.model import Choice


@dataclass
class Decisions:
    """What has been decided so far, and what turned out to be impossible."""

    job: Job
    choices: list[Choice]
    problems: list[Problem]

    def chose(self, key: str, value: object, reason: str) -> None:
        self.choices.append(Choice(key, str(value), reason))

    def refuse(self, key: str, message: str, remedy: str = "") -> None:
        self.problems.append(problem_at(self.job, key, message, remedy))
