"""What a user can put right: the one error family, and the exit code of each member.

    FtctlError            1   the work failed
    ├── UsageError        2   a bad option or argument
    ├── JobError          2   a bad job file: every problem at once
    ├── GateNotMet        3   a verdict that a pipeline acts on
    ├── Missing           4   an engine or a resource is not there
    └── Interrupted     130   the user asked to stop

Anything else that is raised is a bug of ours (exit 70) and keeps its traceback.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

DONE = 0
BUG = 70


class FtctlError(Exception):
    """The work failed: what happened, and what to do next.

    `message` says what happened and where; `remedy` says the way out and may be empty.
    """

    exit_code = 1

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}; {self.remedy}" if self.remedy else self.message


class UsageError(FtctlError):
    """A bad option or argument on the command line."""

    exit_code = 2


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong in one place. `line` and `column` count from 1; 0 means unknown.

    `kind` is a stable name of what is wrong, for machines: `unknown-key`, say. `rule` names the engine's
    rule that is broken, if it is one, by which it can be silenced; `level` is `error` or `warning`.
    """

    file: str
    line: int
    column: int
    key: str
    message: str
    remedy: str = ""
    kind: str = ""
    level: str = "error"
    rule: str = ""

    def __str__(self) -> str:
        place = self.file
        if self.line:
            place += f":{self.line}:{self.column}"
        key = f" {self.key}:" if self.key else ""
        remedy = f"; {self.remedy}" if self.remedy else ""
        level = "" if self.level == "error" else f" {self.level}:"
        rule = f" [{self.rule}]" if self.rule else ""
        return f"{place}:{key}{level} {self.message}{remedy}{rule}"


def shown_text(text: str) -> str:
    """The text without characters that would move the cursor or colour a terminal."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def printable(problem: Problem) -> Problem:
    """The problem as a terminal may show it: a row of data may hold anything."""
    if str(problem).isprintable():
        return problem
    return replace(
        problem,
        file=shown_text(problem.file),
        key=shown_text(problem.key),
        message=shown_text(problem.message),
        remedy=shown_text(problem.remedy),
    )


def of_kind(kind: str, problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """The problems, those without a kind of their own being of this one."""
    return tuple(problem if problem.kind else replace(problem, kind=kind) for problem in problems)


class JobError(FtctlError):
    """A job file that cannot be run. `problems` is never empty, in file order, and printable."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(map(printable, problems)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class GateNotMet(FtctlError):
    """The work was done and its result is under the bar that the job sets."""

    exit_code = 3


class Missing(FtctlError):
    """An engine, a GPU, a port or a package that the work needs is not there."""

    exit_code = 4


class Interrupted(FtctlError):
    """The user asked to stop, and the work has stopped."""

    exit_code = 130
