"""The whole way from a file's text to a job's: read, recognise, convert, write, read back, compare."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftctl.errors import Problem
from ftctl.importing.compare import Difference, compare
from ftctl.importing.draft import Change, Draft
from ftctl.importing.later import as_asked, nearest_of
from ftctl.importing.rendering import arguments, read_back
from ftctl.importing.source import Around, Source
from ftctl.importing.table import origin_of
from ftctl.importing.write import text as written
from ftctl.job.load import job_schema
from ftctl.job.model import Job


@dataclass(frozen=True)
class Imported:
    """A job's text and what is to be said about it.

    `problems` are what this version of ftctl refuses in the job; `differences` is None where the job could
    not be rendered, or is of no engine whose rendering can be compared.
    """

    kind: str
    title: str
    text: str
    changes: tuple[Change, ...]
    checks: tuple[str, ...]
    differences: tuple[Difference, ...] | None
    problems: tuple[Problem, ...]


def convert(source: Source, around: Around, *, kind: str | None, file: str, folder: Path) -> Imported:
    """The job of a file. `file` is the job as the user names it, `folder` the absolute one it will lie in.

    Raises JobError and UsageError for what cannot be imported.
    """
    origin = origin_of(source, kind)
    draft = origin.convert(source, around, job_schema())
    job, problems = read_back(written(draft, source=source.name, file=file), file, folder)
    differences = None
    if origin.NAME == "llamafactory" and "train" in draft.job:
        rendered, refused = _rendered(draft, job, file, folder)
        problems += refused
        if rendered is not None:
            differences = tuple(compare(original_of(source), rendered))
    said = {change.argument for change in draft.changes}
    more = tuple(told(found) for found in differences or () if found.key not in said)
    for fault in problems:
        draft.check(f"{fault.key}: {fault.message}; {fault.remedy}".removesuffix("; "))
    body = written(draft, source=source.name, file=file, changes=more)
    changes = (*draft.changes, *more)
    return Imported(origin.NAME, draft.title, body, changes, tuple(draft.checks), differences, problems)


def _rendered(
    draft: Draft, job: Job | None, file: str, folder: Path
) -> tuple[dict[str, Any] | None, tuple[Problem, ...]]:
    """What the job renders to; where this version refuses it, what its nearest renders to."""
    if job is not None:
        return arguments(job)
    near, _ = read_back(written(nearest_of(draft), source="", file=file), file, folder)
    rendered, _ = (None, ()) if near is None else arguments(near)
    return (None if rendered is None else as_asked(draft, rendered)), ()


def original_of(source: Source) -> dict[str, Any]:
    """LLaMA-Factory's arguments as the original holds them."""
    from ftctl.importing.llamafactory import document

    return document(source)


def told(found: Difference) -> Change:
    """A difference as a change: what is rendered in place of the original's value."""
    why = found.why or "this difference has no reason that ftctl knows: look at it"
    if found.rendered is None:
        return Change(found.key, found.original, f"not rendered: {why}")
    value = "" if found.original is None else f"{found.original!r} is "
    return Change(found.key, None, f"{value}rendered as {found.rendered!r}: {why}")
