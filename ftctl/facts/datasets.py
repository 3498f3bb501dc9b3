"""Scans a data file once, whole: its format, rows and hash, and every row that could not be trained on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftctl.errors import FtctlError, Problem
from ftctl.facts import formats
from ftctl.facts.model import DatasetFacts
from ftctl.facts.oddities import Garbled, Numbers, odd, warning
from ftctl.facts.row_checks import KINDS, check_row, kind_of
from ftctl.facts.rows import Row, file_type, packed, read_rows
from ftctl.facts.tally import Tally
from ftctl.facts.texts import spoken_of, texts_of, turns_of
from ftctl.job.model import Dataset
from ftctl.job.training import RETRIEVAL

if TYPE_CHECKING:
    from ftctl.facts.retrieval_pass import Pass, Wanted

Watch = Callable[[Path, int, int], None]  # told now and then: the file, bytes read, bytes in all
See = Callable[[Row, Sequence[str]], None]  # told of every good row and its texts
Spoken = Callable[[int, Sequence[str]], None]  # told of the line of every good row, and what is said in it

SHOWN = 20
ROWS = "query, pos and neg, or triplets, or pairs with a label"
# datasets 4.x takes the columns from the first 10 MiB of lines and fails on one that first appears later.
FIRST_BLOCK = 10 << 20
STEP = 1 << 22  # bytes between two calls of Watch


@dataclass(frozen=True)
class Survey:
    """What one pass over a file found: the facts, or None and what is wrong; what is odd but trains; and
    the tally of its rows, to hold another file's against."""

    facts: DatasetFacts | None
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    tally: Tally = field(default_factory=Tally, compare=False, repr=False)
    queries: Tally | None = field(
        default=None, compare=False, repr=False
    )  # of an embedder's or reranker's rows

    @property
    def held_against(self) -> Tally:
        """What must not stand in train and in eval: queries where there are any, else whole rows."""
        return self.tally if self.queries is None else self.queries

    @property
    def unit(self) -> str:
        """What `held_against` counts."""
        return "row" if self.queries is None else "query"


def scan(dataset: Dataset) -> tuple[DatasetFacts | None, tuple[Problem, ...]]:
    """The facts about one data file, or None and what is wrong with it."""
    found = survey(dataset)
    return found.facts, found.problems


def survey(
    dataset: Dataset,
    task: str | None = "sft",
    *,
    watch: Watch | None = None,
    see: See | None = None,
    spoken: Spoken | None = None,
    wanted: Wanted | None = None,
) -> Survey:
    """Read one data file whole, in little memory.

    `task` is what the rows are for; None takes texts for pretraining beside questions and answers,
    and queries with passages. `wanted` says what an embedder or a reranker asks of its rows. The first 20
    bad rows are told one by one with their lines, the rest as a count.
    """
    file, path = str(dataset.path), dataset.path
    try:
        if not path.is_file():
            there = "it is no regular file" if path.exists() else "there is no such file"
            what = "it is a folder" if path.is_dir() else there
            return _unreadable(file, f"cannot read the data: {what}", "correct the path")
        kind = file_type(path)
        if kind != "parquet" and (what := packed(path)):
            remedy = "save it as UTF-8" if what.endswith("UTF-8") else "unpack it, or write JSON Lines"
            return _unreadable(file, f"cannot read the data: it is {what}", remedy)
        return _Scan(dataset, kind, task, wanted).run(watch, see, spoken)
    except OSError as error:
        return _unreadable(file, f"cannot read the data: {error.strerror}")
    except FtctlError as error:
        return _unreadable(file, error.message, error.remedy)


def _unreadable(file: str, message: str, remedy: str = "") -> Survey:
    return Survey(None, (Problem(file, 0, 0, "", message, remedy),))


class _Scan:
    """The state of one pass over one file."""

    def __init__(self, dataset: Dataset, kind: str, task: str | None, wanted: Wanted | None) -> None:
        self.dataset, self.kind, self.task, self.wanted = dataset, kind, task, wanted
        self.retrieval: Pass | None = None
        self.format = "" if dataset.format == "auto" else dataset.format
        self.columns: Mapping[str, str] = {}
        self.tags: Mapping[str, str] = {}
        self.kinds: dict[str, tuple[str, int]] = {}  # column → its kind of value, and the line of the first
        self.told: set[str] = set()
        self.problems: list[Problem] = []
        self.garbled, self.numbers = Garbled(), Numbers(())
        self.tally = Tally()
        self.rows = self.bad = 0

    def run(self, watch: Watch | None, see: See | None, spoken: Spoken | None) -> Survey:
        digest = hashlib.sha256()
        settled, told = False, 0
        size = self.dataset.path.stat().st_size
        for row in read_rows(self.dataset.path, self.kind, digest, as_engine=self.task not in RETRIEVAL):
            self.rows += 1
            if not row.broken and not settled:
                settled = self.settle(row)
                if not settled:
                    return Survey(None, tuple(self.problems))
            texts = self.take(row)
            if see is not None and texts is not None:
                see(row, texts)
            if spoken is not None and texts is not None:
                spoken(row.line, spoken_of(self.format, row.value, self.columns, self.tags))
            if watch is not None and row.offset >= told:
                told = row.offset + STEP
                watch(self.dataset.path, row.offset, size)
        return self.found(digest.hexdigest())

    def settle(self, row: Row) -> bool:
        """Decide on format, columns and tags by the first row; False where that cannot be done."""
        value = row.value if isinstance(row.value, dict) else {}
        texts = self.task in (None, "pretrain")
        if self.queries(value):
            return self.settle_retrieval(row, value)
        if self.kind == "txt" and not texts:
            what = "a text file has no questions and answers; only pretraining reads it"
            self.problem(0, 0, what, "write rows with a question and an answer as JSON Lines or CSV")
            return False
        self.format = self.format or formats.detect(value, self.dataset, texts=texts) or ""
        if not self.format:
            return self.unknown(row, value, "alpaca, sharegpt or openai rows")
        unknown = formats.unknown_names(self.format, self.dataset)
        for wrong in unknown:
            self.problem(0, 0, wrong)
        self.columns = formats.columns_of(self.format, self.dataset, value)
        self.tags = formats.tags_of(self.format, self.dataset)
        if self.kind == "csv":
            self.numbers = Numbers(self.columns.get(key, "") for key in ("prompt", "query", "response"))
            self.numbers.columns &= value.keys()
        return not unknown

    def queries(self, value: dict[str, Any]) -> bool:
        """Whether the rows have queries: by the task or the format that the job names, else by their look."""
        if self.task in RETRIEVAL or self.format in ("retrieval", "triplet", "pair"):
            return True
        if self.task is not None or self.format or formats.detect(value, self.dataset):
            return False
        from ftctl.facts import retrieval_rows

        return retrieval_rows.detect(value, self.dataset) is not None

    def settle_retrieval(self, row: Row, value: dict[str, Any]) -> bool:
        """`settle` for rows of an embedder or a reranker."""
        from ftctl.facts.retrieval_pass import begun

        self.retrieval, wrong = begun(self.kind, self.format, value, self.dataset, self.task, self.wanted)
        for what in wrong:
            self.problem(0, 0, what, f"write rows with {ROWS}")
        if self.retrieval is None:
            return False if wrong else self.unknown(row, value, f"rows with {ROWS}")
        self.format, self.columns = self.retrieval.name, self.retrieval.columns
        return True

    def unknown(self, row: Row, value: dict[str, Any], use: str) -> bool:
        held = f"it has {', '.join(map(repr, value))}" if value else f"it is a {kind_of(row.value)}"
        message = f"the first row has no format that is known: {held}"
        self.problem(row.line, row.column, message, f"use {use}, or set the dataset's format and columns")
        return False

    def take(self, row: Row) -> list[str] | None:
        """Check and count one row; its texts where it is good."""
        if self.retrieval is not None:
            return self.take_retrieval(self.retrieval, row)
        wrong = (
            row.broken or check_row(self.format, row.value, self.columns, self.tags) or self.consistency(row)
        )
        texts = [] if wrong else texts_of(self.format, row.value, self.columns, self.tags)
        wrong = wrong or self.garbled.look(row.line, texts)
        if wrong:
            self.refuse(row, wrong)
            return None
        if self.numbers.columns:
            self.numbers.look(row.value)
        self.tally.add(row.line, texts, turns_of(self.format, texts))
        return texts

    def take_retrieval(self, rows: Pass, row: Row) -> list[str] | None:
        """`take` for a row of an embedder or a reranker."""
        wrong = row.broken or rows.check(row.value)
        texts = [] if wrong else rows.texts(row.value)
        wrong = wrong or self.garbled.look(row.line, texts)
        if wrong:
            self.refuse(row, wrong)
            return None
        rows.take(row.line, row.value)
        self.tally.add(row.line, texts, 1)
        return texts

    def refuse(self, row: Row, wrong: str) -> None:
        """Count a bad row, and tell of the first ones."""
        self.bad += 1
        if self.bad <= SHOWN:
            self.problem(row.line, row.column, wrong)

    def consistency(self, row: Row) -> str:
        """Whether the row's columns fit those before it, as the engine keeps one type for each column."""
        for column, value in row.value.items():
            if value is None:
                continue
            kind = KINDS.get(type(value), "null")
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

    def found(self, sha256: str) -> Survey:
        """What there is to say at the end of the file."""
        if not self.rows:
            remedy = "put at least one row in it, or take it out of the job"
            self.problem(0, 0, "the file has no rows", remedy)
        if self.bad > SHOWN:
            last, more = self.problems[-1], self.bad - SHOWN
            told = f"and {more} more bad row{'s' if more > 1 else ''} below"
            self.problem(last.line, last.column + 1, told)
        for message, remedy in self.numbers.problems() if not self.bad else ():
            self.problem(0, 0, message, remedy)
        if self.retrieval is not None and not self.bad:
            for said in self.retrieval.problems():
                self.problem(said.line, 1, said.message, said.remedy)
        repeats = self.tally.repeats()
        warnings = [*odd(self.dataset.path, self.tally, repeats, self.garbled), *self.oddities()]
        facts = None if self.problems else self.facts(sha256, repeats.total)
        queries = None if self.retrieval is None else self.retrieval.queries
        return Survey(facts, tuple(self.problems), tuple(warnings), self.tally, queries)

    def oddities(self) -> Iterator[Problem]:
        """What is odd in rows of an embedder or a reranker."""
        for said in () if self.retrieval is None else self.retrieval.warnings():
            yield warning(self.dataset.path, said.line, said.message, said.remedy)

    def facts(self, sha256: str, duplicates: int) -> DatasetFacts:
        tally, rows = self.tally, self.retrieval
        columns = (
            formats.present(self.format, self.columns, self.dataset, self.kinds)
            if rows is None
            else rows.present(rows.names)
        )
        return DatasetFacts(
            self.dataset.path,
            self.format,
            self.kind,
            self.rows,
            self.dataset.path.stat().st_size,
            sha256,
            columns,
            dict(self.tags),
            characters=tally.characters,
            longest=tally.longest,
            turns=tally.turns,
            duplicates=duplicates,
            examples=0 if rows is None else rows.examples,
            plain=self.kind in ("json", "jsonl") and rows.plain if rows is not None else True,
        )

    def problem(self, line: int, column: int, message: str, remedy: str = "") -> None:
        self.problems.append(Problem(str(self.dataset.path), line, column, "", message, remedy))
