"""What is counted over all rows of a file for an embedder or reranker: negatives, prompts, lone queries."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from ftctl.facts import retrieval_rows
from ftctl.facts.retrieval_rows import MINE, Parts
from ftctl.facts.tally import Tally
from ftctl.job.model import Dataset

QUERIES = 1_000_000  # whose positives and negatives are followed over a file of pairs: about 100 MB
POSITIVE, NEGATIVE = 1, 2


@dataclass(frozen=True)
class Wanted:
    """What the rows are to serve. `group` is train_group_size, None where nothing trains on them alone;
    `instruction` is what goes in front of queries, empty for nothing, None where that is not known."""

    task: str | None = None
    group: int | None = None
    distillation: bool = False
    instruction: str | None = None
    held_out: bool = False
    negatives: bool = True  # whether rows without negatives are bad


class Said(NamedTuple):
    """Something about the whole file, told at the line of the first row that it is about."""

    line: int
    message: str
    remedy: str


def begun(
    kind: str, name: str, first: Mapping[str, Any], dataset: Dataset, task: str | None, wanted: Wanted | None
) -> tuple[Pass | None, tuple[str, ...]]:
    """The pass over a file of the type `kind` that starts with the row `first`, or None and what is wrong;
    nothing is said where only the format (`name`, empty where it is to be seen) is not known."""
    if kind == "txt":
        return None, ("a text file has no queries and passages",)
    if name and name not in retrieval_rows.FORMATS:
        return None, (f"the format {name} has no queries and passages",)
    name = name or retrieval_rows.detect(first, dataset) or ""
    if not name or (wrong := retrieval_rows.unknown_names(name, dataset)):
        return None, wrong if name else ()
    columns = retrieval_rows.columns_of(name, dataset, first, task)
    return Pass(name, dataset, wanted or Wanted(task), columns), ()


class Pass:
    """Checks rows one after another; `problems` and `warnings` are complete at the end of the file."""

    def __init__(self, name: str, dataset: Dataset, wanted: Wanted, columns: dict[str, str]) -> None:
        self.name, self.wanted, self.columns = name, wanted, columns
        self.threshold = dataset.threshold
        self.needed = wanted.negatives and not wanted.held_out
        self.rows = self.few = self.first_few = 0
        self.prompted = self.first_prompted = self.first_unprompted = 0
        self.typed = 0  # rows that say to what kind of task they belong, which FlagEmbedding reads
        self.without = 0  # rows that have no negatives, where they need none
        self.queries = Tally()  # to hold the queries of another file against
        self.names: set[str] = set()
        self._parts = Parts("", [], [])
        self._sides: dict[int, tuple[int, int]] = {}  # a query's hash → its first line and its sides

    def check(self, row: Any) -> str:
        """What is wrong with a row; empty where nothing is."""
        return retrieval_rows.check_row(
            self.name,
            row,
            self.columns,
            negatives_needed=self.needed,
            scores=self.wanted.distillation and not self.wanted.held_out,
            threshold=self.threshold,
        )

    def texts(self, row: Mapping[str, Any]) -> list[str]:
        """The texts of a checked row: its query, its positives, its negatives."""
        self._parts = retrieval_rows.parts_of(self.name, row, self.columns, self.threshold)
        return [self._parts.query, *self._parts.pos, *self._parts.neg]

    def take(self, line: int, row: Mapping[str, Any]) -> None:
        """Count the row whose texts were asked for last."""
        parts = self._parts
        self.rows += 1
        self.queries.add(line, (parts.query,), 1)
        if not self.names.issuperset(row):
            self.names.update(row)
        if self.name == "retrieval":
            self._count(line, row, parts)
        else:
            self._follow(line, parts)

    def _count(self, line: int, row: Mapping[str, Any], parts: Parts) -> None:
        group = self.wanted.group
        self.without += not parts.neg
        self.typed += "type" in row
        if group is not None and not self.wanted.held_out and len(parts.neg) < group - 1:
            self.few += 1
            self.first_few = self.first_few or line
        if row.get(self.columns["prompt"]) is None:
            self.first_unprompted = self.first_unprompted or line
        else:
            self.prompted += 1
            self.first_prompted = self.first_prompted or line

    def _follow(self, line: int, parts: Parts) -> None:
        key = hash(parts.query)
        before = self._sides.get(key)
        if before is None and len(self._sides) >= QUERIES:
            return
        first, sides = before or (line, 0)
        now = sides | (POSITIVE if parts.pos else 0) | (NEGATIVE if parts.neg else 0)
        if before is None or now != sides:
            self._sides[key] = first, now

    @property
    def plain(self) -> bool:
        """Whether FlagEmbedding can be given the file as it is: its own columns alone, each in every row.

        datasets 5.2 fails on a column that first appears after 10 MiB of lines, on one whose type differs
        between two such blocks (scores as 1 and as 0.5), and where it differs between two files.
        """
        known: set[str] = {key for key in ("query", "pos", "neg") if self.columns.get(key) == key}
        known |= {self.columns.get("prompt", "")} | ({"type"} if self.typed == self.rows else set())
        whole = self.prompted in (0, self.rows) and not self.without
        return self.name == "retrieval" and not self.wanted.distillation and self.names <= known and whole

    @property
    def examples(self) -> int:
        """What an epoch draws: rows, or the queries with a positive once rows are grouped by query."""
        if self.name == "retrieval":
            return self.rows
        lone = sum(not sides & POSITIVE for _, sides in self._sides.values())
        return self.queries.rows - self.queries.repeats(0).total - lone

    def present(self, seen: Collection[str]) -> dict[str, str]:
        """The columns that the file has."""
        return {key: column for key, column in self.columns.items() if column in seen}

    def problems(self) -> Iterator[Said]:
        """What makes the whole file unfit."""
        if self.wanted.instruction and 0 < self.prompted < self.rows:
            yield self._mixed()
        if (
            self.name == "pair"
            and self._sides
            and not any(sides & POSITIVE for _, sides in self._sides.values())
        ):
            yield Said(1, "no row is a positive: every label is below the threshold", "correct the labels")

    def _mixed(self) -> Said:
        column, number = self.columns["prompt"], self.rows - self.prompted
        rows = f"{number} row{'' if number == 1 else 's'}"
        what = f'{rows} without "{column}" among rows with one: the engine would put "None" before the query'
        remedy = f'give every row a "{column}" or none, or set train.query_instruction to ""'
        return Said(self.first_unprompted, what, remedy)

    def warnings(self) -> Iterator[Said]:
        """What is odd and trains all the same."""
        if self.few:
            group = self.wanted.group or 0
            rows = f"{self.few} row{'' if self.few == 1 else 's'}"
            what = (
                f"{rows} with fewer than {group - 1} negatives (train_group_size {group}): some are repeated"
            )
            yield Said(self.first_few, what, f"lower train.train_group_size, or add negatives: {MINE}")
        if self.prompted and self.wanted.task is not None and self.wanted.instruction == "":
            what = f'"{self.columns["prompt"]}" is ignored: it is read only where a query instruction is set'
            yield Said(self.first_prompted, what, "set train.query_instruction")
        yield from self._lone()

    def _lone(self) -> Iterator[Said]:
        lone = [line for line, sides in self._sides.values() if not sides & POSITIVE]
        if lone:
            what = f"{_queries(lone)} without a positive left out, first on {_lines(lone)}"
            yield Said(lone[0], what, "add a positive for each, or take them out")
        bare = [line for line, sides in self._sides.values() if sides == POSITIVE]
        if bare and not self.wanted.held_out:
            what = (
                f"{_queries(bare)} without a negative, first on {_lines(bare)}: the conversion draws some at "
                "random from other queries' positives"
            )
            yield Said(bare[0], what, "`ftctl data mine` finds harder ones")


def _queries(lines: list[int]) -> str:
    return f"{len(lines)} quer{'y' if len(lines) == 1 else 'ies'}"


def _lines(lines: list[int]) -> str:
    shown = ", ".join(map(str, lines[:3]))
    return f"line{'' if len(lines) == 1 else 's'} {shown}{' and more' if len(lines) > 3 else ''}"
