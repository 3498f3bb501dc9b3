"""Reads the rows of CSV, Parquet and plain text files as LLaMA-Factory (datasets 4, pandas 2) reads them."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from ftctl.errors import FtctlError
from ftctl.facts.rows import BOM, CHUNK, Digest, Row

# pandas 2.3 reads these cells as "no value"; an answer of "None" would be lost.
NO_VALUE = frozenset(
    ("#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A",
     "NA", "NULL", "NaN", "None", "n/a", "nan", "null")
)  # fmt: skip
PARQUET_ROWS = 512  # rows turned into Python values at once


def read_text(path: Path, digest: Digest) -> Iterator[Row]:
    """Every line as a row with the one column `text`."""
    offset = 0
    with open(path, "rb") as file:
        for line, raw in enumerate(file, 1):
            digest.update(raw)
            try:
                text = (raw.removeprefix(BOM) if line == 1 else raw).decode().rstrip("\r\n")
                yield Row(line, 1, offset, {"text": text})
            except UnicodeDecodeError as error:
                yield Row(line, error.start + 1, offset, None, "not UTF-8 text")
            offset += len(raw)


class _Lines:
    """A file's lines as text for the csv module; remembers bytes read and a line that is not UTF-8."""

    def __init__(self, file: IO[bytes], digest: Digest) -> None:
        self.file, self.digest = file, digest
        self.read = self.line = self.undecodable = 0

    def __iter__(self) -> Iterator[str]:
        for raw in self.file:
            self.digest.update(raw)
            self.read += len(raw)
            self.line += 1
            try:
                yield (raw.removeprefix(BOM) if self.line == 1 else raw).decode()
            except UnicodeDecodeError:
                self.undecodable = self.line
                yield raw.decode(errors="replace")


def read_csv(path: Path, digest: Digest, *, as_engine: bool = True) -> Iterator[Row]:
    """Every record below the head, its empty cells as None; `as_engine` refuses what pandas reads so too."""
    csv.field_size_limit(sys.maxsize)
    with open(path, "rb") as file:
        lines = _Lines(file, digest)
        reader = csv.reader(lines, strict=True)
        head: list[str] | None = None
        began = 0
        while True:
            at, began = lines.line + 1, lines.read
            try:
                cells = next(reader, None)
            except csv.Error as error:
                yield Row(at, 1, began, None, f"not valid CSV: {error}")
                break
            if cells is None:
                return
            if lines.undecodable >= at:
                yield Row(lines.undecodable, 1, began, None, "not UTF-8 text")
            elif head is None:
                head = cells
                if len(set(head)) < len(head):
                    yield Row(at, 1, began, None, "two columns have the same name")
                    break
            elif cells:
                yield _record(at, began, head, cells, NO_VALUE if as_engine else frozenset())
        while rest := file.read(CHUNK):
            digest.update(rest)


def _record(line: int, offset: int, head: list[str], cells: list[str], no_value: frozenset[str]) -> Row:
    if len(cells) > len(head):
        return Row(line, 1, offset, None, f"it has {len(cells)} cells and the head has {len(head)} columns")
    for name, cell in zip(head, cells, strict=False):
        if cell in no_value:
            why = f'"{name}" is {cell!r}, which the engine reads as no value; write JSON Lines'
            return Row(line, 1, offset, None, why)
    value: dict[str, Any] = dict.fromkeys(head)
    value |= {name: cell or None for name, cell in zip(head, cells, strict=False)}
    return Row(line, 1, offset, value)


def read_parquet(path: Path, digest: Digest) -> Iterator[Row]:
    """Every row of a Parquet file, its number in the place of a line.

    Raises FtctlError where pyarrow is not installed or the file is broken.
    """
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise FtctlError(
            "reading Parquet needs pyarrow, which is not installed beside ftctl",
            "install ftctl[parquet], or write the rows as JSON Lines",
        ) from None
    with open(path, "rb") as file:
        while raw := file.read(CHUNK):
            digest.update(raw)
    try:
        with parquet.ParquetFile(path) as table:
            yield from _parquet_rows(table, path.stat().st_size)
    except ArrowException as error:
        raise FtctlError(f"not a readable Parquet file: {str(error).splitlines()[0]}") from None


def _parquet_rows(table: Any, size: int) -> Iterator[Row]:
    total, number = max(1, table.metadata.num_rows), 0
    for batch in table.iter_batches(batch_size=PARQUET_ROWS):
        for value in batch.to_pylist():
            number += 1
            yield Row(number, 1, size * number // total, value)
