"""What the model achieves: the gate's verdict, figures with intervals beside the base's, and examples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ftctl.judge.bootstrap import CONFIDENCE
from ftctl.judge.comparing import beside
from ftctl.judge.model import label, said
from ftctl.report.measured import Measure, interval_chart
from ftctl.report.model import BAD, GOOD, Block, Chart, Column, Example, Note, Section, Table
from ftctl.report.records import Records
from ftctl.report.words import count, cut, figure, signed
from ftctl.view.evaluated import answers_line
from ftctl.view.run_list import NDCG

CHANGED = 12  # queries that are shown
INTERVALS = "Lines are {:g} % intervals of a bootstrap over the questions."
SHOWN = 2000  # characters of a text in an example


def verdict(records: Records) -> Section | None:
    """The gate's rules, and by how much each was met or missed."""
    found = records.verdict
    if found is None:
        return None
    rules = [rule for rule in found.get("rules") or () if isinstance(rule, dict)]
    rows = tuple(
        (
            str(rule.get("metric", "")),
            str(rule.get("rule", "")),
            _figure(rule.get("value")),
            _figure(rule.get("bar")),
            _signed(rule.get("by")),
            "met" if rule.get("met") else "missed",
            str(rule.get("why") or ""),
        )
        for rule in rules
    )
    head = ("metric", "rule", "value", "bar", "by", "", "why")
    width = len(head) if any(row[-1] for row in rows) else len(head) - 1
    met = bool(found.get("met"))
    missed = sum(not rule.get("met") for rule in rules)
    words = "The gate is met." if met else f"The gate is not met: {count(missed, 'rule')} missed."
    table = Table(head[:width], tuple(row[:width] for row in rows), numbers=frozenset({2, 3, 4}))
    return Section("gate", "Gate", (Note(words, GOOD if met else BAD), table))


def figures(records: Records) -> Section | None:
    """Every figure, base beside tuned, and how the questions were answered."""
    found = records.measures
    blocks: list[Block] = [table(found)] if found else []
    if interval_chart(found) is not None:
        blocks.append(Chart("figures", "Base and tuned model", _caption(records)))
    blocks += [Note(text, tone) for text, tone in _told(records)]
    return Section("figures", "Figures", tuple(blocks)) if blocks else None


def table(found: tuple[Measure, ...]) -> Table:
    """A row for each figure; columns that would be empty are left out."""
    head, columns = (
        ["figure"],
        [[one.label + ("" if one.better == "higher" else " (lower is better)") for one in found]],
    )
    if any(one.base for one in found):
        head.append("base")
        columns.append([one.base.text if one.base else "–" for one in found])
    head.append("tuned")
    columns.append([one.tuned.text if one.tuned else "–" for one in found])
    if any(one.difference for one in found):
        head.append("difference")
        columns.append([one.change for one in found])
    if any(one.counts for one in found):
        head.append("won / lost / same")
        columns.append([" / ".join(f"{n:,}" for n in one.counts) if one.counts else "–" for one in found])
    return Table(tuple(head), tuple(zip(*columns, strict=True)), frozenset(range(1, len(head))))


def _caption(records: Records) -> str:
    for answers in records.answers.values():
        share = answers.figures.get("confidence")
        if isinstance(share, int | float):
            return INTERVALS.format(100 * share)
    drawn = any(one.tuned is not None and one.tuned.low is not None for one in records.measures)
    return INTERVALS.format(100 * CONFIDENCE) if drawn else ""


def _told(records: Records) -> Iterator[tuple[str, str]]:
    """How many were asked and how many answered, for each model, and what an evaluation says of itself."""
    if records.retrieval is not None:
        yield from ((f"{line[0].upper()}{line[1:]}.", "plain") for line in said(records.retrieval))
    for name, answers in records.answers.items():
        asked = answers.figures.get("answers")
        if isinstance(asked, dict):
            yield _answered(name, asked)
        missing = answers.figures.get("missing")
        for lacking, why in missing.items() if isinstance(missing, dict) else ():
            yield f"{name}: {lacking} is missing: {why}", BAD
    yield from ((note, "plain") for note in _notes(records))


def _notes(records: Records) -> Iterator[str]:
    """What the evaluations say of themselves, once where all of them say it."""
    said_by: dict[str, list[str]] = {}
    for name, answers in records.answers.items():
        for note in answers.figures.get("notes") or ():
            said_by.setdefault(str(note), []).append(name)
    for note, names in said_by.items():
        whose = "" if len(names) == len(records.answers) else f"{', '.join(names)}: "
        yield f"{whose}{note}"


def _answered(name: str, asked: Mapping[str, Any]) -> tuple[str, str]:
    return f"{name}: {answers_line(asked)}.", BAD if asked.get("errors") else "plain"


def examples(records: Records) -> Section | None:
    """Questions whose answers changed most, the models' answers side by side."""
    found: tuple[Block, ...] = tuple(_examples(records)) or tuple(_queries(records))
    return Section("examples", "Examples", found) if found else None


def _examples(records: Records) -> Iterator[Example]:
    for name, one in records.asked.items():
        columns = [Column("reference", cut(one.reference, SHOWN))] if one.reference else []
        columns += [
            Column(who, cut(text, SHOWN), tuple(_scores(one.scores.get(who, {}))))
            for who, text in one.answers.items()
        ]
        yield Example(name, cut(one.question, SHOWN), tuple(columns))


def _scores(scores: Mapping[str, float | None]) -> Iterator[str]:
    yield from (f"{name} {figure(value)}" for name, value in scores.items() if value is not None)


def _queries(records: Records) -> Iterator[Table]:
    """The queries of a retrieval test whose ranking changed most, both ways."""
    texts = (records.queries or {}).get("queries") or {}
    if records.tuned is None or records.base is None or not texts:
        return
    found = beside(records.base, records.tuned, NDCG, CHANGED).changed
    rows = tuple(
        (cut(str(texts.get(one.row, one.row)), 200), figure(one.first), figure(one.other), signed(one.by))
        for one in found
    )
    if rows:
        head = ("query", f"base {label(NDCG)}", f"tuned {label(NDCG)}", "difference")
        yield Table(head, rows, frozenset({1, 2, 3}))


def _figure(value: object) -> str:
    return figure(value) if isinstance(value, int | float) else "–"


def _signed(value: object) -> str:
    return signed(value) if isinstance(value, int | float) else "–"
