"""The schema files, and reading them: each is read only when it is asked for."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from ftctl.engine_schema.table import DESCRIBED
from ftctl.errors import UsageError
from ftctl.job.shape import Schema
from ftctl.job.suggest import nearest
from ftctl.paths import bundled

JOB = "job"


def schema_path(name: str) -> Path:
    """The file of an engine's schema, or of the job's own (`job`). Raises UsageError for another name."""
    if name == JOB:
        return bundled("schemas") / "job.schema.json"
    if name not in DESCRIBED:
        close = nearest(name, (JOB, *DESCRIBED))
        hint = f"did you mean {close}? " if close else ""
        names = ", ".join((JOB, *DESCRIBED))
        raise UsageError(f"there is no schema of {name}", f"{hint}there is one of {names}")
    return bundled("schemas") / DESCRIBED[name].kind / DESCRIBED[name].file


@cache
def engine_schema(name: str) -> Schema | None:
    """The schema of an engine's arguments; None for an engine that has none (a stand-in's, say)."""
    if name not in DESCRIBED:
        return None
    schema: Schema = json.loads(schema_path(name).read_bytes())
    return schema
