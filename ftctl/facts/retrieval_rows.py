"""Reads the rows that an embedder or a reranker learns from: each has query, pos and neg."""

from __future__ import annotations

import hashlib
from typing import Any

from ftctl.errors import FtctlError, Problem
from ftctl.facts.datasets import SHOWN, STEP, Survey, Watch
from ftctl.facts.model import DatasetFacts
from ftctl.facts.row_checks import kind_of
from ftctl.facts.rows import file_type, read_rows
from ftctl.job.model import Dataset

COLUMNS = ("query", "pos", "neg")


def survey_retrieval(dataset: Dataset, *, watch: Watch | None = None) -> Survey:
    """Count the rows of one data file, and say of the first bad ones where they stand."""
    path, problems, rows, told = dataset.path, [], 0, 0
    digest = hashlib.sha256()
    try:
        kind, size = file_type(path), path.stat().st_size
        for row in read_rows(path, kind, digest):
            rows += 1
            if wrong := row.broken or _wrong(row.value):
                problems.append(Problem(str(path), row.line, row.column, "", wrong))
            if watch is not None and row.offset >= told:
                told = row.offset + STEP
                watch(path, row.offset, size)
    except OSError as error:
        return _unreadable(path, f"cannot read the data: {error.strerror}", "correct the path")
    except FtctlError as error:
        return _unreadable(path, error.message, error.remedy)
    if not rows:
        return _unreadable(path, "the file has no rows", "put at least one row in it")
    if problems:
        return Survey(None, tuple(problems[:SHOWN]))
    columns = {name: name for name in COLUMNS}
    return Survey(DatasetFacts(path, "retrieval", kind, rows, size, digest.hexdigest(), columns))


def _unreadable(path: object, message: str, remedy: str = "") -> Survey:
    return Survey(None, (Problem(str(path), 0, 0, "", message, remedy),))


def _wrong(row: Any) -> str:
    """What keeps a row from being drawn; empty where nothing does."""
    if not isinstance(row, dict):
        return f"a row must be an object, this is a {kind_of(row)}"
    missing = [name for name in COLUMNS if name not in row]
    if missing:
        return f"the row has no {' and no '.join(missing)}"
    if not isinstance(row["query"], str):
        return f'"query" must be text, this is a {kind_of(row["query"])}'
    for name in COLUMNS[1:]:
        if not isinstance(row[name], list) or not row[name]:
            return f'"{name}" must be a list of texts that is not empty'
    return ""
