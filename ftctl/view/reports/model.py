"""What was found in the job files of one call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ftctl.errors import Problem


@dataclass(frozen=True)
class Checked:
    """One job file: its name and a summary where it is valid, and its problems in file order.

    A file whose problems are only warnings is valid. `notes` are advice, which no file is worse for.
    """

    file: str
    name: str = ""
    summary: str = ""
    problems: tuple[Problem, ...] = ()
    notes: tuple[Problem, ...] = ()

    @property
    def valid(self) -> bool:
        return all(problem.level != "error" for problem in self.problems)


@dataclass(frozen=True)
class Report:
    """Every file that was checked, in the order asked for; `skipped` counts the YAML that is no job."""

    files: tuple[Checked, ...]
    skipped: int = 0

    @cached_property
    def problems(self) -> tuple[Problem, ...]:
        """All problems in file order, each once: jobs may share a data file or an override."""
        return tuple(sorted({problem for file in self.files for problem in file.problems}))

    @cached_property
    def notes(self) -> tuple[Problem, ...]:
        """All notes in file order, each once."""
        return tuple(sorted({note for file in self.files for note in file.notes}))

    @property
    def valid(self) -> tuple[Checked, ...]:
        return tuple(file for file in self.files if file.valid)

    @property
    def verdict(self) -> str:
        """`3 problems in 2 of 40 files (5 others are no jobs)`; of a single file the problems alone."""
        parts = counted_all(self.problems)
        text = parts or ("every job is valid" if self.skipped else "")
        if len(self.files) > 1 and parts:
            text += f" in {sum(bool(file.problems) for file in self.files)} of {len(self.files)} files"
        return text + self.passed_over

    @property
    def passed_over(self) -> str:
        if not self.skipped:
            return ""
        return f" ({counted(self.skipped, 'other')} {'is no job' if self.skipped == 1 else 'are no jobs'})"


def counted(number: int, noun: str) -> str:
    """`1 problem`, `2 problems`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def counted_all(problems: Iterable[Problem]) -> str:
    """`1 problem and 2 warnings`; "" of none."""
    levels = Counter(problem.level for problem in problems)
    nouns = (("error", "problem"), ("warning", "warning"))
    return " and ".join(counted(levels[level], noun) for level, noun in nouns if levels[level])


def said(problem: Problem) -> str:
    """A problem without its place: every format says the same words."""
    key = f"{problem.key}: " if problem.key else ""
    remedy = f"; {problem.remedy}" if problem.remedy else ""
    return f"{key}{problem.message}{remedy}"


def kind_of(problem: Problem) -> str:
    return problem.rule or problem.kind or "job"


def kinds(report: Report) -> list[str]:
    """The kinds of problem and note that there are, sorted."""
    return sorted(set(map(kind_of, (*report.problems, *report.notes))))


def path_of(problem: Problem, base: Path) -> Path | None:
    """The problem's file as seen from `base`, absolute where it is not below; None for an option."""
    if problem.file.startswith("--set "):
        return None
    path = Path(problem.file)
    return path.relative_to(base) if path.is_relative_to(base) else path
