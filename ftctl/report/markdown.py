"""A report as Markdown, in GitHub's flavour; charts are files beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import chain

from ftctl.report.model import BAD, Block, Chart, Code, Example, Facts, Note, Report, Section, Table
from ftctl.report.words import Folders, harmless, nearer

_MARKS = re.compile(r"[\\`*_\[\]|~$#@{}]|(?<=:)//|(?<=www)\.")


def document(report: Report, charts: Mapping[str, str]) -> str:
    """The text. `charts` are the paths of the pictures by name, relative to it; one that is not among them is
    left out."""
    near = report.folders
    badges = " · ".join(f"**{_words(badge.text, near)}**" for badge in report.badges)
    tiles = Facts(
        tuple((tile.label, " – ".join(filter(None, (tile.value, tile.detail)))) for tile in report.tiles)
    )
    parts = [
        f"# {_words(report.title, near)}",
        _words(report.subtitle, near),
        badges,
        _words(report.lead, near),
        _block(tiles, charts, near) if tiles.rows else "",
        *(_block(block, charts, near) for block in report.summary),
        *chain.from_iterable(_section(section, charts, near) for section in report.sections),
        f"Not in this report: {_words('; '.join(report.left_out), near)}." if report.left_out else "",
        f"<sub>{_words(report.foot, near)}</sub>",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(section: Section, charts: Mapping[str, str], near: Folders) -> list[str]:
    return [
        f"## {_words(section.title, near)}",
        *(_block(block, charts, near) for block in section.blocks),
    ]


def _block(block: Block, charts: Mapping[str, str], near: Folders) -> str:
    match block:
        case Note():
            return f"{'> ' if block.tone == BAD else ''}{_words(block.text, near)}"
        case Facts():
            return _table(Table(("", ""), block.rows), near)
        case Table():
            return _table(block, near)
        case Chart():
            return _chart(block, charts.get(block.name), near)
        case Code():
            return f"**{_words(block.title, near)}**\n\n{_fenced(nearer(block.text, near))}"
        case Example():
            return _example(block)


def _chart(chart: Chart, path: str | None, near: Folders) -> str:
    if path is None:
        return ""
    caption = f"\n\n*{_words(chart.caption, near)}*" if chart.caption else ""
    return f"![{_words(chart.title, near)}]({path}){caption}"


def _words(text: str, near: Folders = ()) -> str:
    """One line of text in which nothing is markup, a link or a mention."""
    line = " ".join(harmless(nearer(text, near)).split())
    return _marked(line)


def _marked(text: str) -> str:
    plain = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKS.sub(lambda found: "".join(f"&#{ord(char)};" for char in found[0]), plain)


def _table(table: Table, near: Folders) -> str:
    rules = ("---:" if at in table.numbers else "---" for at in range(len(table.head)))
    lines = [table.head, tuple(rules), *table.rows]
    shown = [
        " | ".join(row if number == 1 else tuple(_words(cell, near) for cell in row))
        for number, row in enumerate(lines)
    ]
    return "\n".join(f"| {line} |" for line in shown)


def _fenced(text: str) -> str:
    """A block of code whose fence is longer than any in it."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{harmless(text).rstrip(chr(10))}\n{fence}"


def _example(block: Example) -> str:
    parts = [f"### {_words(block.title)}", _fenced(block.question)]
    for column in block.columns:
        scores = f" ({_words(', '.join(column.scores))})" if column.scores else ""
        parts += [f"**{_words(column.title)}**{scores}", _fenced(column.text)]
    return "\n\n".join(parts)
