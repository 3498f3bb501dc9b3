"""What was asked in a row and what a model said to it, read from a run's records."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ftctl.judge.base import BY_QUERY
from ftctl.judge.records import lines_of
from ftctl.run.directory import RunDir


class Said(NamedTuple):
    """A row: what was asked, what should have been said, and what was; None where a row has no such thing."""

    question: str
    reference: str | None = None
    answer: str | None = None


def said(folder: Path, wanted: Collection[str]) -> Mapping[str, Said]:
    """The rows of these ids, as far as they were recorded in an evaluation's folder or a run's."""
    answers = folder / "predictions.jsonl"
    if answers.is_file():
        rows = ((str(line.get("id")), line) for line in lines_of(answers))
        return {row: _answer(line) for row, line in rows if row in wanted}
    queries = (RunDir(folder).read_json(BY_QUERY) or {}).get("queries") or {}
    return {row: Said(str(queries[row])) for row in wanted if row in queries}


def _answer(line: Mapping[str, Any]) -> Said:
    messages = line.get("prompt") or ()
    asked = [str(message.get("content", "")) for message in messages if message.get("role") == "user"]
    answer = line.get("prediction") if line.get("error") is None else f"(no answer: {line['error']})"
    return Said(asked[-1] if asked else "", _text(line.get("reference")), _text(answer))


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
