"""Reads a run's held-out and training rows, as its data folder holds them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path

from ftctl.errors import FtctlError
from ftctl.facts.rows import file_type, read_rows
from ftctl.judge.relevance import Relevance, Row, relevance_of


def relevance_in(run: Path, held_out: Iterable[str], trained: Iterable[str]) -> Relevance:
    """The retrieval test of these files of a run. Raises FtctlError where they hold no query or a bad row."""
    test = relevance_of(_rows(run, held_out), _rows(run, trained))
    if not test.queries:
        raise FtctlError("no query was held out", "hold out more: data.eval")
    return test


def _rows(run: Path, names: Iterable[str]) -> Iterator[Row]:
    for name in names:
        path = run / name
        try:
            for row in read_rows(path, file_type(path), sha256(), as_engine=False):
                if row.broken:
                    raise FtctlError(f"{path}:{row.line}: {row.broken}", "correct the row")
                yield row.value
        except OSError as error:
            raise FtctlError(f"{path}: cannot be read: {error.strerror}", "train again") from None
