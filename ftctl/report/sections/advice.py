"""The advice of guides that the job or the curves called for."""

from __future__ import annotations

from ftctl.report.model import Note, Section, Table
from ftctl.report.records import Records


def advice(records: Records) -> Section | None:
    """Each note once: what was seen, why it matters, and what to try. None where nothing was advised."""
    told = {event.data.get("name"): event.data for event in records.events if event.kind == "note"}
    rows = [(one.rule, one.message, one.remedy) for one in (records.plan.notes if records.plan else ())]
    rows += [
        (str(name), "; ".join(filter(None, (str(one.get("message", "")), str(one.get("reason") or "")))),
         str(one.get("remedy", "")))
        for name, one in told.items()
    ]  # fmt: skip
    if not rows:
        return None
    table = Table(("note", "what was seen", "what to try"), tuple(dict.fromkeys(rows)), exact=frozenset({0}))
    return Section("advice", "Advice", (table, Note("Starting points that guides give; a task may differ.")))
