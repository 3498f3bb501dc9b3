"""What was found in data files, as lines and tables for people and as records for programs."""

from __future__ import annotations

from typing import Any

from ftctl.data.lengths import Lengths
from ftctl.data.look import Looked, Report
from ftctl.record import to_record


def check_lines(report: Report) -> str:
    """A line for each good file."""
    return "\n".join(_line(file) for file in report.files)


def _line(file: Looked) -> str:
    facts = file.survey.facts
    if facts is None:
        return f"{file.path}: not good"
    rows = f"{facts.rows} row{'' if facts.rows == 1 else 's'}"
    return f"{file.path}: good ({rows}, {facts.format}, {facts.file_type})"


def records(report: Report) -> dict[str, Any]:
    """The facts about every file, and the warnings."""
    files = [
        {
            "file": str(file.path),
            "held_out": file.held_out,
            **to_record(file.survey.facts),
            "tokens": _tokens(file),
        }
        for file in report.files
        if file.survey.facts is not None
    ]
    return {"files": files, "warnings": to_record(report.warnings)}


def _tokens(file: Looked) -> dict[str, Any] | None:
    if file.lengths is None:
        return None
    record: dict[str, Any] = to_record(file.lengths)
    return {**record, "sampled": file.lengths.sampled}


def stats_rows(report: Report) -> list[tuple[str, ...]]:
    """The rows of a table with a column for each file."""
    rows = [
        ("for", *["evaluation" if file.held_out else "training" for file in report.files]),
        ("format", *[f"{f.format}, {f.file_type}" for file in report.files if (f := file.survey.facts)]),
    ]
    for name, field in (("rows", "rows"), ("turns", "turns"), ("characters", "characters")):
        rows.append((name, *[f"{getattr(file.survey.facts, field):,}" for file in report.files]))
    rows.append(
        ("repeated rows", *[f"{f.duplicates:,}" for file in report.files if (f := file.survey.facts)])
    )
    if all(file.lengths is None for file in report.files):
        return [*rows, ("tokens", *["not counted: --model names a tokenizer" for _ in report.files])]
    return rows + _length_rows([file.lengths for file in report.files])


def _length_rows(lengths: list[Lengths | None]) -> list[tuple[str, ...]]:
    rows = [("tokens", *[_about(length) for length in lengths])]
    for percent, name in (
        (50, "median"),
        (90, "90 % up to"),
        (95, "95 % up to"),
        (99, "99 % up to"),
        (100, "longest"),
    ):
        rows.append((f"tokens a row, {name}", *[_percentile(length, percent) for length in lengths]))
    limits = {length.max_length for length in lengths if length is not None and length.max_length}
    for limit in sorted(limits):
        rows.append((f"cut by {limit} tokens", *[_cut(length) for length in lengths]))
    return rows


def _about(length: Lengths | None) -> str:
    if length is None:
        return "–"
    sampled = f" (estimated: {length.counted:,} rows counted, a random sample)" if length.sampled else ""
    return f"{length.tokens:,}{sampled}"


def _percentile(length: Lengths | None, percent: int) -> str:
    return "–" if length is None or percent not in length.percentiles else f"{length.percentiles[percent]:,}"


def _cut(length: Lengths | None) -> str:
    return "–" if length is None or length.cut is None else f"{100 * length.cut:.3g} %"
