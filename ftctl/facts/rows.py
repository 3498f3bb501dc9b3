"""Reads the rows of a data file one after another, with the line that each stands on."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

CHUNK = 1 << 20  # bytes
BOM = b"\xef\xbb\xbf"
BOM_CHARACTER = "\ufeff"
SPACE = " \t\r\n"
LINE_ENDS = ("\n", "", "\r\n")
DECODE = json.JSONDecoder().raw_decode
TABLES = ("csv", "parquet", "txt")
PACKED = {
    b"\x1f\x8b": "compressed with gzip",
    b"PK\x03\x04": "a zip archive or a spreadsheet",
    b"\x28\xb5\x2f\xfd": "compressed with zstd",
    b"BZh": "compressed with bzip2",
    b"\xfd7zXZ": "compressed with xz",
    b"ARROW1": "an Arrow file",
    b"PAR1": "a Parquet file without the ending .parquet",
    b"SQLite f": "an SQLite database",
    b"\xff\xfe": "UTF-16 text, not UTF-8",
    b"\xfe\xff": "UTF-16 text, not UTF-8",
}
OTHER = {
    ".tsv": "separated by tabs",
    ".arrow": "an Arrow file",
    ".feather": "an Arrow file",
    ".xlsx": "a spreadsheet",
    ".xls": "a spreadsheet",
}
NEAR_END = 32  # characters: an error this near to the end of what was read may only mean "read on"


class Digest(Protocol):
    """What hashlib's objects do."""

    def update(self, data: bytes, /) -> None: ...


class Row(NamedTuple):
    """One row: line and column from 1, `offset` the bytes read before it (a chunk's start in an array).
    `broken` says what is wrong with a row that could not be read."""

    line: int
    column: int
    offset: int
    value: Any
    broken: str = ""


def file_type(path: Path) -> str:
    """`csv`, `parquet` and `txt` by the file's name, as for the engine; of the others `json` where the file
    holds one array, else `jsonl`, by its first character."""
    ending = path.suffix.lower().removeprefix(".")
    if ending in TABLES:
        return ending
    with open(path, "rb") as file:
        while chunk := file.read(4096):
            text = chunk.removeprefix(BOM).lstrip()
            if text:
                return "json" if text.startswith(b"[") else "jsonl"
    return "jsonl"


def packed(path: Path) -> str:
    """What a file is that no engine reads as rows: its kind by its first bytes or its name, or empty."""
    with open(path, "rb") as file:
        first = file.read(8)
    if len(first) > 3 and (first[0] == 0 or first[1] == 0) and first[2:4].count(0) == 1:
        return "UTF-16 text, not UTF-8"  # ASCII characters of two bytes, with no mark before them
    by_name = OTHER.get(path.suffix.lower(), "")
    return next((name for magic, name in PACKED.items() if first.startswith(magic)), by_name)


def read_rows(path: Path, kind: str, digest: Digest, *, as_engine: bool = True) -> Iterator[Row]:
    """Every row of the file, the whole of it fed to `digest`. Raises OSError; FtctlError for Parquet that
    cannot be read. Not `as_engine`: what only LLaMA-Factory cannot read is no broken row."""
    if kind == "csv":
        from ftctl.facts.tables import read_csv

        return read_csv(path, digest, as_engine=as_engine)
    if kind in TABLES:
        from ftctl.facts import tables

        return tables.read_parquet(path, digest) if kind == "parquet" else tables.read_text(path, digest)
    return _array(path, digest, as_engine) if kind == "json" else _lines(path, digest)


def _why(error: json.JSONDecodeError) -> str:
    return f"not valid JSON: {error.msg}"


def _lines(path: Path, digest: Digest) -> Iterator[Row]:
    offset, line = 0, 0
    with open(path, "rb") as file:
        while block := file.readlines(CHUNK):
            digest.update(b"".join(block))
            for raw in block:
                line += 1
                row = _line(line, offset, raw.removeprefix(BOM) if line == 1 else raw)
                if row is not None:
                    yield row
                offset += len(raw)


def _line(line: int, offset: int, raw: bytes) -> Row | None:
    """The row of a line; None for a line of nothing but white space."""
    try:
        text = raw.decode()
        try:
            value, end = DECODE(text)  # a third of the time of json.loads for a short row
            if text[end:] in LINE_ENDS or not text[end:].strip(SPACE):
                return Row(line, 1, offset, value)
        except json.JSONDecodeError:
            if not raw or raw.isspace():
                return None
        return Row(line, 1, offset, json.loads(text))
    except UnicodeDecodeError as error:
        return Row(line, error.start + 1, offset, None, "not UTF-8 text")
    except json.JSONDecodeError as error:
        return Row(line, error.colno, offset, None, _why(error))
    except (RecursionError, ValueError) as error:
        return Row(line, 1, offset, None, f"not readable JSON: {error}")


class _Window:
    """A part of a text file that moves forward; it holds no more than one row needs."""

    def __init__(self, path: Path, digest: Digest) -> None:
        self.file = open(path, "rb")  # noqa: SIM115 - closed by _array
        self.digest = digest
        self.decoder = codecs.getincrementaldecoder("utf-8")()
        self.text, self.at = "", 0
        self.line, self.column, self.read = 1, 1, 0
        self.ended = False

    def more(self) -> None:
        """Read on, at least as much as is held, so that a long row is parsed a few times only."""
        raw = self.file.read(max(CHUNK, len(self.text) - self.at))
        self.digest.update(raw)
        self.read += len(raw)
        self.ended = not raw
        # Decoded before the window moves: text that is not UTF-8 leaves it where it was.
        self.text, self.at = self.text[self.at :] + self.decoder.decode(raw, final=self.ended), 0

    def forward(self, to: int) -> None:
        """Move to a later place in the text, counting lines."""
        newlines = self.text.count("\n", self.at, to)
        if newlines:
            self.line += newlines
            self.column = to - self.text.rindex("\n", self.at, to)
        else:
            self.column += to - self.at
        self.at = to

    def broken(self, why: str) -> Row:
        return Row(self.line, self.column, self.read, None, why)

    def peek(self) -> str:
        """The next character that is no white space, moved to; empty at the end of the file."""
        while True:
            to = self.at
            while to < len(self.text) and self.text[to] in SPACE:
                to += 1
            self.forward(to)
            if to < len(self.text):
                return self.text[to]
            if self.ended:
                return ""
            self.more()


def _array(path: Path, digest: Digest, as_engine: bool) -> Iterator[Row]:
    window = _Window(path, digest)
    try:
        if window.peek() == BOM_CHARACTER and not as_engine:
            window.forward(window.at + 1)
            window.peek()
        yield from _elements(window)
    except UnicodeDecodeError:
        yield window.broken("not UTF-8 text from here on")
    finally:
        while raw := window.file.read(CHUNK):
            digest.update(raw)
        window.file.close()


def _elements(window: _Window) -> Iterator[Row]:
    """The elements of the array; the first that is broken ends it, as nothing after it can be trusted."""
    if window.peek() == BOM_CHARACTER:
        # datasets 4.x (LLaMA-Factory 0.9.5) reads a BOM before lines, and fails on one before an array.
        yield window.broken("the array begins with a byte order mark, which the engine cannot read")
        return
    window.forward(window.at + 1)
    mark = window.peek()
    while mark != "]":
        row = _element(window)
        mark = window.peek()
        if not row.broken and mark not in (",", "]"):
            row = window.broken("not valid JSON: expecting ',' or ']'" if mark else "the array is cut short")
        yield row
        if row.broken:
            return
        if mark == ",":
            window.forward(window.at + 1)
    window.forward(window.at + 1)
    if window.peek():
        yield window.broken("text after the end of the array")


def _element(window: _Window) -> Row:
    window.peek()
    while True:
        try:
            value, end = DECODE(window.text, window.at)
        except json.JSONDecodeError as error:
            cut = error.msg.startswith("Unterminated") or error.pos > len(window.text) - NEAR_END
            if cut and not window.ended:
                window.more()
                continue
            window.forward(error.pos)
            return window.broken(_why(error))
        except (RecursionError, ValueError) as error:
            return window.broken(f"not readable JSON: {error}")
        row = Row(window.line, window.column, window.read, value)
        window.forward(end)
        return row
