"""For programs: the versioned envelope."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ftctl.errors import Problem
from ftctl.view.output import envelope
from ftctl.view.reports.model import Report


def write(report: Report, base: Path) -> str:
    """One line of JSON: the valid jobs in `data.jobs`, all else in `problems`, advice in `notes`."""
    jobs = [{"file": file.file, "name": file.name, "summary": file.summary} for file in report.valid]
    data = {"jobs": jobs, "skipped": report.skipped}
    more: dict[str, Any] = {"problems": [asdict(problem) for problem in report.problems]}
    more["notes"] = _explained(report.notes)
    if len(report.valid) == len(report.files):
        return envelope("validate", data, **more) + "\n"
    message = "\n".join(map(str, report.problems))
    more["error"] = {"message": message, "remedy": "", "type": "JobError"}
    return envelope("validate", data, exit_code=2, **more) + "\n"


def _explained(notes: Sequence[Problem]) -> list[dict[str, Any]]:
    """The notes with why; few jobs have any."""
    if not notes:
        return []
    from ftctl.advice.told import as_data

    return [as_data(note) for note in notes]
