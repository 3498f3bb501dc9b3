"""What was measured of a run's model and its base, as a table for people and as data for programs."""

from __future__ import annotations

from typing import Any

from ftctl.judge.model import Evaluation, said, table_of
from ftctl.record import from_record
from ftctl.run.directory import RunDir

EVALUATION = "evaluation.json"


def evaluation_of(run: RunDir) -> Evaluation | None:
    """What the run measured; None where it measured nothing of its own model."""
    record = run.read_json(EVALUATION)
    evaluation = None if record is None else from_record(Evaluation, record)
    return evaluation if evaluation is not None and evaluation.tuned is not None else None


def comparison(evaluation: Evaluation) -> str:
    """The table as lines: columns aligned, figures to the right, and what goes with it below."""
    columns, rows = table_of(evaluation)
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    lines = [
        "  ".join(
            [
                f"{row[0]:{widths[0]}}",
                *(f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True)),
            ]
        )
        for row in (columns, *rows)
    ]
    return "\n".join(f"  {line}".rstrip() for line in [*lines, *said(evaluation)])


def as_data(evaluation: Evaluation) -> dict[str, Any]:
    """The figures alone, as the JSON envelope carries them."""
    base, tuned = evaluation.base, evaluation.tuned
    return {
        "queries": evaluation.queries,
        "passages": evaluation.passages,
        "base": None if base is None else dict(base.figures),
        "tuned": None if tuned is None else dict(tuned.figures),
        "difference": dict(evaluation.difference),
        "base_measured_by": None if base is None else base.reused_from,
        "note": evaluation.note,
    }
