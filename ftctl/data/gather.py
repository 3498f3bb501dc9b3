"""Gathers triplets and pairs by their query, in a database on disk: memory stays small for any file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from hashlib import blake2b
from itertools import groupby
from pathlib import Path
from types import TracebackType

from ftctl.facts.retrieval_rows import Parts

TABLES = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -32768;
CREATE TABLE query (id INTEGER PRIMARY KEY, hash BLOB UNIQUE, text TEXT);
CREATE TABLE passage (query INTEGER, text TEXT, good INTEGER);
"""
ALL = """
SELECT query.text, passage.text, passage.good, passage.query FROM passage
JOIN query ON query.id = passage.query ORDER BY passage.query, passage.rowid
"""


class Gathered:
    """Rows by their query, in the order in which queries came first; a context that closes its file."""

    def __init__(self, file: Path) -> None:
        self._file = sqlite3.connect(file, isolation_level=None)
        self._file.executescript(TABLES)
        self._file.execute("BEGIN")

    def __enter__(self) -> Gathered:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, row: Parts) -> None:
        """Put the passages of a row to its query."""
        key = blake2b(row.query.encode(), digest_size=16).digest()
        known = self._file.execute("SELECT id FROM query WHERE hash = ?", (key,)).fetchone()
        if known is None:
            made = self._file.execute("INSERT INTO query (hash, text) VALUES (?, ?)", (key, row.query))
            number = made.lastrowid
        else:
            number = known[0]
        passages = [(number, text, 1) for text in row.pos] + [(number, text, 0) for text in row.neg]
        self._file.executemany("INSERT INTO passage VALUES (?, ?, ?)", passages)

    def rows(self) -> Iterator[Parts]:
        """Each query once, each of its passages once on each side."""
        for _, group in groupby(self._file.execute(ALL), key=lambda found: found[3]):
            found = list(group)
            pos = dict.fromkeys(text for _, text, good, _ in found if good)
            neg = dict.fromkeys(text for _, text, good, _ in found if not good)
            yield Parts(found[0][0], list(pos), list(neg))
