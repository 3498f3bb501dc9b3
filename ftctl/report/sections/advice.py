"""What guides would have done otherwise, in the job and as the curves went."""

from __future__ import annotations

from dataclasses import asdict

from ftctl.report.model import Note, Section, Table
from ftctl.report.records import Records
from ftctl.run.notes import notes

INTRODUCTION = (
    "Starting points that guides give, where this run was outside of them. None of them is an error."
)


def advice(records: Records) -> Section | None:
    """Each note with what to try and whose advice it is."""
    planned = records.plan.notes if records.plan is not None else ()
    rows = tuple(
        (
            str(note["name"]),
            str(note["message"]),
            str(note["remedy"]),
            "\n".join(f"{source['title']}: {source['address']}" for source in note["sources"] or ()),
        )
        for note in notes(map(asdict, planned), records.events)
    )
    table = Table(("advice", "what was seen, and why it matters", "what to try", "sources"), rows)
    return Section("advice", "Advice", (Note(INTRODUCTION), table)) if rows else None
