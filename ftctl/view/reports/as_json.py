"""For programs: the versioned envelope."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from ftctl.view.output import envelope
from ftctl.view.reports.model import Report


def write(report: Report, base: Path) -> str:
    """One line of JSON: the valid jobs in `data.jobs`, all else in `problems`."""
    jobs = [{"file": file.file, "name": file.name, "summary": file.summary} for file in report.valid]
    data = {"jobs": jobs, "skipped": report.skipped}
    more: dict[str, Any] = {"problems": [asdict(problem) for problem in report.problems]}
    if len(report.valid) == len(report.files):
        return envelope("validate", data, **more) + "\n"
    message = "\n".join(map(str, report.problems))
    more["error"] = {"message": message, "remedy": "", "type": "JobError"}
    return envelope("validate", data, exit_code=2, **more) + "\n"
