"""A conversion as a file that a run's step reads, and what came of it as a record and as lines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import file_digest
from pathlib import Path
from typing import Any

from ftctl.data.convert import How, Source, Written
from ftctl.errors import UsageError
from ftctl.job.model import Dataset
from ftctl.record import to_record


def read(file: Path) -> tuple[tuple[Source, ...], How]:
    """The conversion that `trainers/retrieval_data.py` wrote. Raises UsageError where it is none."""
    try:
        value = json.loads(file.read_bytes())
        sources = tuple(_source(entry) for entry in value["files"])
        return sources, How(**value["how"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{file}: no conversion: {error}", "name the file that a run's step names") from None


def _source(entry: dict[str, Any]) -> Source:
    dataset = Dataset(**{**entry["dataset"], "path": Path(entry["dataset"]["path"])})
    held_out_to = entry.get("held_out_to")
    return Source(dataset, Path(entry["to"]), held_out_to and Path(held_out_to), entry["negatives_needed"])


def record(sources: Sequence[Source], how: How, written: Sequence[Written]) -> dict[str, Any]:
    """Everything that was asked for and what came of it."""
    files = [
        {
            "to": source.to,
            "held_out_to": source.held_out_to,
            **to_record(one),
            "sha256": _sha256(source.to),
            "held_out_sha256": None if source.held_out_to is None else _sha256(source.held_out_to),
        }
        for source, one in zip(sources, written, strict=True)
    ]
    value: dict[str, Any] = to_record({"how": how, "files": files})
    return value


def _sha256(file: Path) -> str:
    with open(file, "rb") as opened:
        return file_digest(opened, "sha256").hexdigest()


def lines(sources: Sequence[Source], how: How, written: Sequence[Written]) -> str:
    """What was written, a line for each file, and what became of odd rows."""
    return "\n".join(
        line for source, one in zip(sources, written, strict=True) for line in _lines(source, how, one)
    )


def _lines(source: Source, how: How, one: Written) -> list[str]:
    said = [f"{source.to}: {_counted(one.rows)} ({one.format}) from {one.file}"]
    if source.held_out_to is not None:
        said.append(f"{source.held_out_to}: {_counted(one.held_out)} held out by query, seed {how.seed}")
    if one.drawn:
        each = f"up to {how.negatives} positives of other queries as negatives, seed {how.seed}"
        said.append(f"  {_counted(one.drawn)} without negatives got {each}")
    if one.without_positive:
        said.append(f"  {_counted(one.without_positive)} without a positive left out")
    if one.contradictions:
        said.append(f"  {one.contradictions} negatives dropped that are positives of the same query")
    return said


def _counted(rows: int) -> str:
    return f"{rows} row{'' if rows == 1 else 's'}"
