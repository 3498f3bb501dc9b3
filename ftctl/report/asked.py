"""Questions, answers and scores of evaluations, read line by line: only those that are shown are held."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftctl.judge.records import lines_of

TOLD = 4000  # characters of a text that are kept


@dataclass(frozen=True)
class Asked:
    """One question as it was put to a model: the conversation, what was wanted, and what came."""

    question: str
    reference: str | None
    answers: Mapping[str, str]
    scores: Mapping[str, Mapping[str, float | None]]


def asked(folders: Mapping[str, Path], changed: tuple[str, ...], most: int) -> dict[str, Asked]:
    """Up to `most` questions with the answers of every evaluation, by their id: those in `changed` first,
    then the first ones of the file."""
    wanted = list(changed[:most])
    for folder in folders.values():
        for row in _rows(folder / "predictions.jsonl"):
            if len(wanted) >= most:
                break
            if row["id"] not in wanted:
                wanted.append(row["id"])
    kept = set(wanted)
    rows = {name: _of(folder / "predictions.jsonl", kept) for name, folder in folders.items()}
    scores = {name: _of(folder / "scores.jsonl", kept) for name, folder in folders.items()}
    return {one: found for one in wanted if (found := _one(one, rows, scores)) is not None}


def _one(
    one: str, rows: Mapping[str, Mapping[str, Any]], scores: Mapping[str, Mapping[str, Any]]
) -> Asked | None:
    there = {name: found[one] for name, found in rows.items() if one in found}
    if not there:
        return None
    first = next(iter(there.values()))
    reference = first.get("reference")
    return Asked(
        question=_conversation(first.get("prompt")),
        reference=_told(reference, first.get("reference_tool_calls")) or None,
        answers={name: _answer(row) for name, row in there.items()},
        scores={name: _numbers(found[one].get("scores")) for name, found in scores.items() if one in found},
    )


def _of(path: Path, wanted: set[str]) -> dict[str, dict[str, Any]]:
    """The rows with these ids; the last of an id counts."""
    return {row["id"]: row for row in _rows(path) if row["id"] in wanted}


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a file that have an id."""
    return (row for row in lines_of(path) if isinstance(row.get("id"), str))


def _conversation(prompt: object) -> str:
    """A conversation as text: of several messages each with its role."""
    messages = [one for one in prompt if isinstance(one, dict)] if isinstance(prompt, list) else []
    if len(messages) == 1:
        return _told(messages[0].get("content"))
    said = (f"{one.get('role', '')}: {_told(one.get('content'), one.get('tool_calls'))}" for one in messages)
    return "\n\n".join(said)[:TOLD]


def _answer(row: Mapping[str, Any]) -> str:
    if row.get("error"):
        return f"(no answer: {str(row['error'])[:TOLD]})"
    text = _told(row.get("prediction"), row.get("tool_calls"))
    if not text:
        return "(an empty answer)"
    return f"{text}\n(cut off at its greatest length)" if row.get("finish_reason") == "length" else text


def _told(content: object, calls: object = None) -> str:
    """A message's text, and the calls of tools as JSON."""
    text = (
        content
        if isinstance(content, str)
        else ""
        if content is None
        else json.dumps(content, ensure_ascii=False)
    )
    parts = [text, json.dumps(calls, ensure_ascii=False) if calls else ""]
    return "\n".join(part for part in parts if part)[:TOLD]


def _numbers(scores: object) -> dict[str, float | None]:
    if not isinstance(scores, dict):
        return {}
    return {
        str(name): value
        for name, value in scores.items()
        if value is None or (isinstance(value, int | float) and not isinstance(value, bool))
    }
