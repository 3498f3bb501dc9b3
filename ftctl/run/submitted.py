"""The job of a run as it was submitted: the run's own copy, and what the command line added."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ftctl.errors import UsageError
from ftctl.run.directory import RunDir


@dataclass(frozen=True)
class Submitted:
    """`copy` is the text in the run; `file` the job file, whose folder its relative paths count from."""

    copy: Path
    file: Path
    overrides: tuple[str, ...]


def submitted(run: Path) -> Submitted:
    """What the run in `run` was asked. Raises UsageError where its record or its copy of the job is gone."""
    copy, record = run / "job.yaml", RunDir(run).read_json("run.json")
    fields = record if isinstance(record, dict) else {}
    file, overrides = fields.get("job_file"), fields.get("overrides", [])
    if not copy.is_file() or not isinstance(file, str) or not isinstance(overrides, list):
        raise UsageError(f"the run {run.name} has no whole record of its job", f"look into {run}")
    return Submitted(copy, Path(file), tuple(map(str, overrides)))
