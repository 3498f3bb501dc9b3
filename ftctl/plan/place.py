"""Problems that are found after loading still name their place in the job file."""

from __future__ import annotations

from ftctl.errors import Problem
from ftctl.job.model import Job


def problem(job: Job, key: str, message: str, remedy: str = "") -> Problem:
    """A problem at `key` (dotted); where the file does not write the key, at the nearest key above it."""
    parts = key.split(".")
    while parts and ".".join(parts) not in job.places:
        parts.pop()
    line, column = job.places.get(".".join(parts), (1, 1))
    return Problem(str(job.file), line, column, key, message, remedy)
