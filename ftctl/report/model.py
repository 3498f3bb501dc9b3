"""A report as values: a head, and sections of blocks, which know nothing of HTML or Markdown.

Every text in them is as it was found: the writers escape it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

GOOD, BAD, PLAIN = "good", "bad", "plain"  # how a badge, a figure or a note is meant


@dataclass(frozen=True)
class Note:
    """A paragraph; `tone` is plain, good or bad."""

    text: str
    tone: str = PLAIN


@dataclass(frozen=True)
class Facts:
    """Names with their values, in order."""

    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Table:
    """Rows under a head; `numbers` are the columns, from 0, that are figures, `exact` those of hashes and
    names that are copied."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[int] = frozenset()
    exact: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Chart:
    """A place for the chart of that name; `caption` says what is drawn."""

    name: str
    title: str
    caption: str = ""


@dataclass(frozen=True)
class Code:
    """Text as it stands in a file."""

    title: str
    text: str


@dataclass(frozen=True)
class Column:
    """One of the texts of an example: whose it is, and its scores."""

    title: str
    text: str
    scores: tuple[str, ...] = ()


@dataclass(frozen=True)
class Example:
    """A question, and side by side what was wanted and what models answered."""

    title: str
    question: str
    columns: tuple[Column, ...]


Block = Note | Facts | Table | Chart | Code | Example


@dataclass(frozen=True)
class Section:
    """A part that can be folded; `open` says whether it is unfolded at first."""

    name: str
    title: str
    blocks: tuple[Block, ...]
    open: bool = True


@dataclass(frozen=True)
class Tile:
    """A main figure: `value` large, `detail` small below it."""

    label: str
    value: str
    detail: str = ""
    tone: str = PLAIN


@dataclass(frozen=True)
class Badge:
    """A word on how it went."""

    text: str
    tone: str = PLAIN


@dataclass(frozen=True)
class Report:
    """The whole page. `left_out` are the parts that the run has no records for; `folders` are paths with the
    short names by which they are written outside examples."""

    title: str
    subtitle: str
    badges: tuple[Badge, ...]
    lead: str
    tiles: tuple[Tile, ...]
    summary: tuple[Block, ...]
    sections: tuple[Section, ...]
    left_out: tuple[str, ...] = ()
    foot: str = ""
    folders: tuple[tuple[str, str], ...] = ()
    language: str = field(default="en")
