"""Scans a data file once, whole: its format, rows and hash, and every row that could not be trained on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from ftctl.errors import Problem
from ftctl.facts import formats
from ftctl.facts.model import DatasetFacts
from ftctl.facts.row_checks import check_row, kind_of
from ftctl.facts.rows import Row, file_type, read_rows
from ftctl.job.model import Dataset

SHOWN = 20
# datasets 4.x takes the columns from the first 10 MiB of lines and fails on one that first appears later.
FIRST_BLOCK = 10 << 20


def scan(dataset: Dataset) -> tuple[DatasetFacts | None, tuple[Problem, ...]]:
    """The facts about one data file, or None and what is wrong with it.

    The first 20 bad rows are told one by one with their lines, the rest as a count.
    """
    file = str(dataset.path)
    try:
        if not dataset.path.is_file():
            what = "it is a folder" if dataset.path.is_dir() else "there is no such file"
            return None, (Problem(file, 0, 0, "", f"cannot read the data: {what}", "correct the path"),)
        return _Scan(dataset, file_type(dataset.path)).run()
    except OSError as error:
        return None, (Problem(file, 0, 0, "", f"cannot read the data: {error.strerror}"),)


class _Scan:
    """The state of one pass over one file."""

    def __init__(self, dataset: Dataset, kind: str) -> None:
        self.dataset, self.kind = dataset, kind
        self.format = "" if dataset.format == "auto" else dataset.format
        self.columns: Mapping[str, str] = {}
        self.tags: Mapping[str, str] = {}
        self.kinds: dict[str, tuple[str, int]] = {}  # column → its kind of value, and the line of the first
        self.told: set[str] = set()
        self.problems: list[Problem] = []
        self.rows = self.bad = 0

    def run(self) -> tuple[DatasetFacts | None, tuple[Problem, ...]]:
        digest = hashlib.sha256()
        settled = False
        for row in read_rows(self.dataset.path, self.kind, digest):
            self.rows += 1
            if not row.broken and not settled:
                settled = self.settle(row)
                if not settled:
                    return None, tuple(self.problems)
            self.take(row)
        if not self.rows:
            self.problem(
                0, 0, "the file has no rows", "put at least one row in it, or take it out of the job"
            )
        if self.bad > SHOWN:
            last = self.problems[-1]
            more = self.bad - SHOWN
            self.problem(
                last.line, last.column + 1, f"and {more} more bad row{'s' if more > 1 else ''} below"
            )
        if self.problems:
            return None, tuple(self.problems)
        return self.facts(digest.hexdigest()), ()

    def settle(self, row: Row) -> bool:
        """Decide on format, columns and tags by the first row; False where that cannot be done."""
        value = row.value if isinstance(row.value, dict) else {}
        self.format = self.format or formats.detect(value, self.dataset) or ""
        if not self.format:
            held = f"it has {', '.join(map(repr, value))}" if value else f"it is a {kind_of(row.value)}"
            self.problem(
                row.line,
                row.column,
                f"the first row has no format that is known: {held}",
                "use alpaca, sharegpt or openai rows, or set the dataset's format and columns",
            )
            return False
        unknown = formats.unknown_names(self.format, self.dataset)
        for wrong in unknown:
            self.problem(0, 0, wrong)
        self.columns = formats.columns_of(self.format, self.dataset, value)
        self.tags = formats.tags_of(self.format, self.dataset)
        return not unknown

    def take(self, row: Row) -> None:
        wrong = (
            row.broken or check_row(self.format, row.value, self.columns, self.tags) or self.consistency(row)
        )
        if wrong:
            self.bad += 1
            if self.bad <= SHOWN:
                self.problem(row.line, row.column, wrong)

    def consistency(self, row: Row) -> str:
        """Whether the row's columns fit those before it, as the engine keeps one type for each column."""
        for column, value in row.value.items():
            if value is None:
                continue
            kind = kind_of(value)
            before = self.kinds.get(column)
            if before is None:
                self.kinds[column] = (kind, row.line)
                if self.kind == "jsonl" and row.offset >= FIRST_BLOCK:
                    return f'"{column}" first appears after 10 MiB; the engine needs it in the first row too'
            elif before[0] != kind and column not in self.told:
                self.told.add(column)
                return (
                    f'"{column}" is a {kind} here and a {before[0]} on line {before[1]}; '
                    "the engine reads one type for each column"
                )
        return ""

    def facts(self, sha256: str) -> DatasetFacts:
        columns = formats.present(self.format, self.columns, self.dataset, self.kinds)
        size = self.dataset.path.stat().st_size
        return DatasetFacts(
            self.dataset.path, self.format, self.kind, self.rows, size, sha256, columns, dict(self.tags)
        )

    def problem(self, line: int, column: int, message: str, remedy: str = "") -> None:
        self.problems.append(Problem(str(self.dataset.path), line, column, "", message, remedy))
