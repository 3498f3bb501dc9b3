"""A report as one HTML file: its style inside, its charts as inline SVG, no script, nothing fetched."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from ftctl.report.model import (
    Block,
    Chart,
    Code,
    Column,
    Example,
    Facts,
    Note,
    Report,
    Section,
    Table,
    Tile,
)
from ftctl.report.words import Folders, harmless, nearer

# Should anything ever slip through as markup, a browser runs and fetches nothing all the same.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def page(report: Report, charts: Mapping[str, str], style: str) -> str:
    """The page. `charts` are SVG elements by name, drawn by ftctl and taken as they are; a chart that is
    not among them is left out."""
    near = report.folders
    parts = [
        "<!doctype html>",
        f'<html lang="{escape(report.language)}">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        f"<title>{_text(report.title, near)} · ftctl report</title>",
        f"<style>\n{style}</style>",
        "</head>",
        "<body>",
        "<main>",
        *_head(report),
        *_blocks(report.summary, charts, near),
        *_contents(report),
        *(line for section in report.sections for line in _section(section, charts, near)),
        *_left_out(report),
        f"<footer>{_text(report.foot, near)}</footer>",
        "</main>",
        "</body>",
        "</html>",
    ]
    return "\n".join(parts) + "\n"


def _text(text: str, near: Folders = ()) -> str:
    return escape(harmless(nearer(text, near)))


def _exact(text: str, near: Folders) -> str:
    """A path or a hash, which may break where a reader would break it."""
    whole = _text(text, near)
    return "".join(f"{char}<wbr>" if char in "/_=" else char for char in whole)


def _head(report: Report) -> list[str]:
    near = report.folders
    badges = "".join(
        f'<span class="badge {badge.tone}">{_text(badge.text, near)}</span>' for badge in report.badges
    )
    return [
        "<header>",
        f'<p class="over">{_text(report.subtitle, near)}</p>',
        f"<h1>{_text(report.title, near)}</h1>",
        f'<p class="badges">{badges}</p>',
        f'<p class="lead">{_text(report.lead, near)}</p>',
        "</header>",
        *(
            ["<dl class=tiles>", *(_tile(tile, near) for tile in report.tiles), "</dl>"]
            if report.tiles
            else []
        ),
    ]


def _tile(tile: Tile, near: Folders) -> str:
    detail = f'<dd class="detail">{_text(tile.detail, near)}</dd>' if tile.detail else ""
    return (
        f'<div class="tile {tile.tone}"><dt>{_text(tile.label, near)}</dt>'
        f'<dd class="value">{_text(tile.value, near)}</dd>{detail}</div>'
    )


def _contents(report: Report) -> list[str]:
    links = "".join(
        f'<a href="#{escape(section.name)}">{_text(section.title)}</a>' for section in report.sections
    )
    return [f'<nav aria-label="Contents">{links}</nav>']


def _section(section: Section, charts: Mapping[str, str], near: Folders) -> list[str]:
    opened = " open" if section.open else ""
    return [
        f'<details class="section" id="{escape(section.name)}"{opened}>',
        f"<summary><h2>{_text(section.title)}</h2></summary>",
        *_blocks(section.blocks, charts, near),
        "</details>",
    ]


def _left_out(report: Report) -> list[str]:
    if not report.left_out:
        return []
    return [f'<p class="quiet">Not in this report: {_text("; ".join(report.left_out), report.folders)}.</p>']


def _blocks(blocks: tuple[Block, ...], charts: Mapping[str, str], near: Folders) -> list[str]:
    """The blocks; charts that follow one another stand in one grid."""
    lines: list[str] = []
    inside = False
    for block in blocks:
        if isinstance(block, Chart) and block.name not in charts:
            continue
        if isinstance(block, Chart) != inside:
            lines.append("</div>" if inside else '<div class="charts">')
            inside = not inside
        lines.append(_block(block, charts, near))
    return [*lines, "</div>"] if inside else lines


def _block(block: Block, charts: Mapping[str, str], near: Folders) -> str:
    match block:
        case Note():
            return f'<p class="note {block.tone}">{_text(block.text, near)}</p>'
        case Facts():
            return _facts(block, near)
        case Table():
            return _table(block, near)
        case Chart():
            caption = f"<span>{_text(block.caption, near)}</span>" if block.caption else ""
            title = f"<figcaption><b>{_text(block.title, near)}</b>{caption}</figcaption>"
            return f"<figure>{title}{charts[block.name]}</figure>"
        case Code():
            return (
                f'<details class="code"><summary>{_text(block.title, near)}</summary>'
                f'<pre tabindex="0">{_text(block.text, near)}</pre></details>'
            )
        case Example():
            return _example(block)


def _facts(block: Facts, near: Folders) -> str:
    rows = "".join(
        f"<div><dt>{_text(name)}</dt><dd>{_exact(value, near)}</dd></div>" for name, value in block.rows
    )
    return f'<dl class="facts">{rows}</dl>'


def _table(table: Table, near: Folders) -> str:
    def cell(kind: str, at: int, text: str) -> str:
        name = "number" if at in table.numbers else "exact" if at in table.exact else ""
        marked = f' class="{name}"' if name else ""
        shown = _exact(text, near) if kind == "td" and at in table.exact else _text(text, near)
        return f"<{kind}{marked}>{shown}</{kind}>"

    head = "".join(cell("th", at, text) for at, text in enumerate(table.head))
    body = "\n".join(
        f"<tr>{''.join(cell('td', at, text) for at, text in enumerate(row))}</tr>" for row in table.rows
    )
    name = _text(table.head[0] or (table.head[-1] if table.head else ""))
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{name}">'
        f"<table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>"
    )


def _example(block: Example) -> str:
    """Texts of data and models: nothing in them is shortened, and none turns what stands around it."""
    columns = "".join(_column(column) for column in block.columns)
    return (
        f'<article class="example"><h3>{_text(block.title)}</h3>'
        f'<p class="question" dir="auto">{_text(block.question)}</p>'
        f'<div class="columns">{columns}</div></article>'
    )


def _column(column: Column) -> str:
    scores = "".join(f"<span>{_text(score)}</span>" for score in column.scores)
    told = f'<p class="scores">{scores}</p>' if scores else ""
    return (
        f'<section><h4>{_text(column.title)}</h4><p class="answer" dir="auto">{_text(column.text)}</p>'
        f"{told}</section>"
    )
