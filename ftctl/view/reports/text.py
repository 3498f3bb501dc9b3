"""For people: one line a file, one line a problem or a note."""

from __future__ import annotations

from ftctl.view.reports.model import Report


def valid_lines(report: Report) -> str:
    """A line for every valid file."""
    return "".join(f"{file.file}: valid ({file.summary})\n" for file in report.valid)


def problem_lines(report: Report) -> str:
    """A line for every problem, `file:line:column: key: message; remedy`, and after them for every note."""
    return "".join(f"{problem}\n" for problem in (*report.problems, *report.notes))
