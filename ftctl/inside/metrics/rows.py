"""Reads an evaluation's questions and predictions, however many: row by row, and always in one order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .refused import Refused


@dataclass(frozen=True)
class Row:
    """One question and what became of it. `text` is the answer's text, empty where there is none."""

    id: str
    prompt: list[dict[str, Any]]
    reference: str | None
    text: str
    error: str | None = None
    finish_reason: str | None = None
    completion_tokens: int = 0
    latency: float | None = None
    tools: list[Any] = field(default_factory=list)
    called: bool = False  # whether it called a tool

    @property
    def answered(self) -> bool:
        """Whether there is a text to look at."""
        return not self.error and bool(self.text.strip())


class Evaluation:
    """The rows of a folder, in the order of its questions; the last line of an id counts."""

    def __init__(self, folder: Path) -> None:
        self._questions = folder / "questions.jsonl"
        self._predictions = folder / "predictions.jsonl"
        self._at = {str(value["id"]): at for at, value in _lines(self._predictions)}
        asked = [(str(value["id"]), at) for at, value in _lines(self._questions)]
        self._asked = dict(asked)
        self.ids = list(self._asked) or sorted(self._at)

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[Row]:
        """Every row; a question that was never asked is one whose answer failed. Raises Refused."""
        with _opened(self._questions) as questions, _opened(self._predictions) as predictions:
            for one in self.ids:
                question = _value(questions, self._asked.get(one))
                prediction = _value(predictions, self._at.get(one))
                yield _row(one, question, prediction)


def _row(one: str, question: dict[str, Any], prediction: dict[str, Any]) -> Row:
    nothing = None if prediction else "it was not asked"
    reference = question["reference"] if question else prediction.get("reference")
    return Row(
        one,
        question.get("messages") or prediction.get("prompt") or [],
        reference,
        prediction.get("prediction") or "",
        prediction.get("error") or nothing,
        prediction.get("finish_reason"),
        prediction.get("completion_tokens") or 0,
        prediction.get("latency"),
        question.get("tools") or [],
        bool(prediction.get("tool_calls")),
    )


def _opened(path: Path) -> Any:
    return open(path if path.is_file() else "/dev/null", "rb")


def _value(file: Any, at: int | None) -> dict[str, Any]:
    if at is None:
        return {}
    file.seek(at)
    value: dict[str, Any] = json.loads(file.readline())
    return value


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Where each line begins, and its value. A torn last line is left out; raises Refused for another."""
    at = 0
    with _opened(path) as file:
        for number, line in enumerate(file, 1):
            try:
                value = json.loads(line)
                value["id"]
            except (ValueError, KeyError, TypeError):
                if not line.endswith(b"\n"):
                    return
                if line.strip():
                    raise Refused(f"{path}:{number}: this is no row") from None
            else:
                yield at, value
            at += len(line)
