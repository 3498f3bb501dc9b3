"""The rows that were trained on and those that were held out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ftctl.facts.model import DatasetFacts
from ftctl.report.model import Block, Note, Section, Table
from ftctl.report.records import Records
from ftctl.view.progress import size

HEAD = ("file", "for", "format", "rows", "characters", "longest", "repeated", "size")


def data(records: Records) -> Section | None:
    """A row for each file, and how rows were held out."""
    plan = records.plan
    if plan is None or not plan.facts.train_data:
        return None
    rows = [_row(fact, "training") for fact in plan.facts.train_data]
    rows += [_row(fact, "evaluation") for fact in plan.facts.eval_data]
    rows += [_row(fact, "test") for fact in plan.facts.test_data]
    blocks: list[Block] = [Table(HEAD, tuple(rows), numbers=frozenset(range(3, len(HEAD))))]
    blocks += [] if records.split is None else _parts(records.split)
    said = [str(event.data.get("message", "")) for event in records.events if event.kind == "data"]
    blocks += [Note(text) for text in dict.fromkeys(said) if text]
    return Section("data", "Data", tuple(blocks))


def _row(fact: DatasetFacts, use: str) -> tuple[str, ...]:
    return (
        fact.path.name,
        use,
        f"{fact.format}, {fact.file_type}",
        f"{fact.rows:,}",
        f"{fact.characters:,}",
        f"{fact.longest:,}",
        f"{fact.duplicates:,}",
        size(fact.bytes),
    )


def _parts(split: Mapping[str, Any]) -> list[Block]:
    """What became of the rows that were split: each part with its count and hash."""
    parts = split.get("parts")
    rows = tuple(
        (name, f"{part.get('rows', 0):,}", str(part.get("sha256", "")))
        for name in ("train", "eval", "test")
        if isinstance(parts, dict) and isinstance(part := parts.get(name), dict)
    )
    head = (f"part (seed {split.get('seed')})", "rows", "sha256 of its rows")
    return [Table(head, rows, frozenset({1}), frozenset({2}))] if rows else []
