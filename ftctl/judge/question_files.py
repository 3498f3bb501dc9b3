"""Reads files of rows as questions: once to see that all can be asked, once to write them down."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftctl.errors import FtctlError, Problem
from ftctl.facts import formats
from ftctl.facts.model import DatasetFacts
from ftctl.facts.rows import Row, file_type, packed, read_rows
from ftctl.job.model import Dataset
from ftctl.judge.questions import Question, fault, question_of

SHOWN = 20  # bad rows of a file that are told one by one
QUESTIONS = "questions.jsonl"


@dataclass(frozen=True)
class Surveyed:
    """What is in one file: its facts, or None and what is wrong. `references` counts the rows with one."""

    facts: DatasetFacts | None
    problems: tuple[Problem, ...] = ()
    references: int = 0


@dataclass(frozen=True)
class LaidOut:
    """Questions that were written down: how many, their sha256, and the files that they are of."""

    rows: int
    digest: str
    data: tuple[Mapping[str, Any], ...]


@dataclass
class _Reading:
    """The state of one pass over one file; format, columns and tags follow from its first row."""

    dataset: Dataset
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)
    form: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    def rows(self) -> Iterator[tuple[Row, str]]:
        """Every row that is wanted, and what is wrong with it. Raises OSError, FtctlError."""
        path = self.dataset.path
        kind = file_type(path)
        if kind != "parquet" and (what := packed(path)):
            raise FtctlError(f"cannot read the questions: it is {what}", "write JSON Lines in UTF-8")
        most = self.dataset.max_samples
        for number, row in enumerate(read_rows(path, kind, self.digest, as_engine=False)):
            if most is None or number < most:  # the rest is read for the file's sha256
                yield row, row.broken or self._settled(row.value) or self._fault(row.value)

    def question(self, row: Row, system: str | None) -> Question:
        return question_of(row.value, self.columns, self.tags, system)

    def _settled(self, value: Any) -> str:
        """Decide on the format by the first row; what is wrong where that cannot be done."""
        if self.form:
            return ""
        row = value if isinstance(value, dict) else {}
        given = "" if self.dataset.format == "auto" else self.dataset.format
        form = given or formats.detect(row, self.dataset, texts=True)
        if form not in formats.REQUIRED:
            return (
                "the first row is none of alpaca, sharegpt and openai rows; set the file's format and columns"
            )
        if wrong := formats.unknown_names(form, self.dataset):
            return wrong[0]
        self.form = form
        self.columns = formats.columns_of(form, self.dataset, row)
        self.tags = formats.tags_of(form, self.dataset)
        return ""

    def _fault(self, value: Any) -> str:
        return fault(self.form, value, self.columns, self.tags)


def survey(dataset: Dataset) -> Surveyed:
    """Read one file whole and say everything that is wrong with it."""
    reading, problems = _Reading(dataset), []
    rows = bad = references = 0
    try:
        for row, wrong in reading.rows():
            rows += 1
            bad += bool(wrong)
            if wrong and bad <= SHOWN:
                problems.append(_problem(dataset.path, row.line, row.column, wrong))
            elif not wrong:
                question = reading.question(row, None)
                references += question.reference is not None or bool(question.calls)
            if not reading.form and not row.broken:
                break
    except OSError as error:
        return Surveyed(None, (_problem(dataset.path, 0, 0, f"cannot read the questions: {error.strerror}"),))
    except FtctlError as error:
        return Surveyed(None, (_problem(dataset.path, 0, 0, error.message, error.remedy),))
    if bad > SHOWN:
        problems.append(
            _problem(dataset.path, problems[-1].line, 2, f"and {bad - SHOWN} more bad rows below")
        )
    if not rows:
        problems.append(
            _problem(dataset.path, 0, 0, "the file has no rows", "put at least one question in it")
        )
    facts = None if problems else _facts(reading, rows)
    return Surveyed(facts, tuple(problems), references)


def _problem(path: Path, line: int, column: int, message: str, remedy: str = "") -> Problem:
    return Problem(str(path), line, column, "", message, remedy)


def _facts(reading: _Reading, rows: int) -> DatasetFacts:
    path = reading.dataset.path
    return DatasetFacts(
        path,
        reading.form,
        file_type(path),
        rows,
        path.stat().st_size,
        reading.digest.hexdigest(),
        reading.columns,
        reading.tags,
    )


def lay_out(
    datasets: Sequence[Dataset], folder: Path, *, system: str | None = None, limit: int | None = None
) -> LaidOut:
    """Write the questions of files into `folder`, at most `limit`, row by row: memory stays flat.

    The same rows give the same bytes. Raises FtctlError for a file or a row that cannot be asked.
    """
    digest, rows, data = hashlib.sha256(), 0, []
    temporary = folder / f".{QUESTIONS}"
    with open(temporary, "wb") as file:
        for dataset, name in zip(datasets, _names(datasets), strict=True):
            reading, before = _Reading(dataset), rows
            for row, question in _questions(reading, system):
                if limit is not None and rows >= limit:
                    continue
                where = f"{name}:{row.line}" if row.column == 1 else f"{name}:{row.line}:{row.column}"
                line = (
                    json.dumps(question.record(where), ensure_ascii=False).encode("utf-8", "backslashreplace")
                    + b"\n"
                )
                digest.update(line)
                file.write(line)
                rows += 1
            told = {"path": str(dataset.path), "sha256": reading.digest.hexdigest(), "rows": rows - before}
            data.append(told)
    if not rows:
        raise FtctlError("there are no questions", "name a file that has rows")
    temporary.replace(folder / QUESTIONS)
    return LaidOut(rows, digest.hexdigest(), tuple(data))


def _questions(reading: _Reading, system: str | None) -> Iterator[tuple[Row, Question]]:
    path = reading.dataset.path
    try:
        for row, wrong in reading.rows():
            if wrong:
                raise FtctlError(f"{path}:{row.line}: {wrong}", "correct the row")
            yield row, reading.question(row, system)
    except OSError as error:
        raise FtctlError(f"{path}: cannot be read: {error.strerror}", "correct the path") from None


def _names(datasets: Sequence[Dataset]) -> list[str]:
    """What the ids of a file's questions begin with: its name, a number before it where two are alike."""
    names = [dataset.path.name for dataset in datasets]
    return [
        f"{number}/{name}" if names.count(name) > 1 else name for number, name in enumerate(names, start=1)
    ]
