"""The advice of a run: what its plan called for, and the curves of its training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ftctl.events import Event
from ftctl.run.directory import RunDir

FIELDS = ("name", "key", "message", "remedy", "reason", "sources")


def notes_of(run: RunDir) -> list[Mapping[str, Any]]:
    """Every note as name, key (of the job; "" for one of the curves), message, remedy, reason and sources,
    each of these with short, title and address."""
    return notes((run.read_json("plan.json") or {}).get("notes") or (), run.events())


def notes(planned: Iterable[Mapping[str, Any]], events: Iterable[Event]) -> list[Mapping[str, Any]]:
    """The same of the notes that a plan recorded, and of the events of its run."""
    told = [_of_plan(note) for note in planned]
    told += [event.data for event in events if event.kind == "note"]
    return [{field: note.get(field, "") for field in FIELDS} for note in told]


def _of_plan(note: Mapping[str, Any]) -> Mapping[str, Any]:
    from ftctl.advice.told import why  # few runs have any

    return {**note, "name": note.get("rule"), **why(str(note.get("rule")))}
