"""The rows that were trained on and those that were held out."""

from __future__ import annotations

from ftctl.facts.model import DatasetFacts
from ftctl.job.model import Data
from ftctl.report.model import Block, Note, Section, Table
from ftctl.report.records import Records
from ftctl.report.words import count
from ftctl.view.progress import size

HEAD = ("file", "for", "format", "rows", "characters", "longest", "repeated", "size")


def data(records: Records) -> Section | None:
    """A row for each file, and how rows were held out."""
    plan = records.plan
    if plan is None or not plan.facts.train_data:
        return None
    rows = [_row(fact, "training") for fact in plan.facts.train_data]
    rows += [_row(fact, "evaluation") for fact in plan.facts.eval_data]
    blocks: list[Block] = [Table(HEAD, tuple(rows), numbers=frozenset(range(3, len(HEAD))))]
    said = [] if plan.job.data is None else _held_out(plan.job.data)
    said += [str(event.data.get("message", "")) for event in records.events if event.kind == "data"]
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


def _held_out(data: Data) -> list[str]:
    share = data.eval_share
    if share is None:
        return []
    held = f"{100 * share:g} % of the rows were" if 0 < share < 1 else f"{count(int(share), 'row')} were"
    return [f"{held} held out of training (data.eval)."]
