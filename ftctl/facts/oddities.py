"""What is odd in rows that train all the same: rows that come again, that overlap, or were garbled before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ftctl.errors import Problem
from ftctl.facts.tally import LIMIT, Repeats, Tally

GARBLED = "\ufffd"
NO_CHARACTER = "not UTF-8 text: half of a surrogate pair (\\ud800 to \\udfff) stands alone"


class Garbled:
    """Counts the rows with U+FFFD, and finds text that no tokenizer can encode."""

    def __init__(self) -> None:
        self.rows = self.first = self.last = 0

    def look(self, line: int, texts: Sequence[str]) -> str:
        """What is wrong with the characters of a row; empty where nothing is."""
        for text in texts:
            if text.isascii():
                continue
            if GARBLED in text and self.last != line:
                self.rows += 1
                self.first, self.last = self.first or line, line
            try:
                text.encode()
            except UnicodeEncodeError:
                return NO_CHARACTER
        return ""


class Numbers:
    """Columns of a CSV file that hold numbers only: pandas makes numbers of them, and the engine no text."""

    def __init__(self, columns: Iterable[str]) -> None:
        self.columns = set(columns)
        self.filled: set[str] = set()  # an empty column is none of numbers: the engine passes over it

    def look(self, row: dict[str, str | None]) -> None:
        self.columns = {name for name in self.columns if _is_number(row.get(name))}
        self.filled |= {name for name in self.columns - self.filled if row.get(name) is not None}

    def problems(self) -> Iterator[tuple[str, str]]:
        for name in sorted(self.columns & self.filled):
            what = f'"{name}" holds nothing but numbers, which the engine does not read as text'
            yield what, "write the rows as JSON Lines, with the numbers in quotes"


def _is_number(cell: str | None) -> bool:
    try:
        return cell is None or float(cell) is not None
    except ValueError:
        return False


def odd(path: Path, tally: Tally, repeats: Repeats, garbled: Garbled) -> Iterator[Problem]:
    """Warnings about one file."""
    if repeats.total:
        first = ", ".join(f"line {row.line} is line {row.first}" for row in repeats.shown)
        known = "" if tally.complete else f" (among the first {LIMIT:,})"
        message = f"{counted(repeats.total)} with the same texts as an earlier one{known}: {first}"
        yield warning(path, repeats.shown[0].line, message, "remove them unless they are to count more")
    if garbled.rows:
        message = f"{counted(garbled.rows)} with U+FFFD, which stands for text that was decoded wrongly"
        yield warning(path, garbled.first, message, "make the file again from the original text")


OVERLAP = "data.overlap"
LEVELS = {"fail": "error", "warn": "warning"}  # by what data.overlap says
_TOO_GOOD = "take them out of one, or the evaluation is too good"
WAY_OUT = {"error": f"{_TOO_GOOD}; with data.overlap: warn they stay", "warning": _TOO_GOOD}


def overlap(
    held_out: tuple[Path, Tally], train: Iterable[tuple[Path, Tally]], policy: str, unit: str = "row"
) -> Iterator[Problem]:
    """Rows (or queries) of a file to evaluate on that stand in the files to train on, too."""
    path, tally = held_out
    for other, known in train:
        shared = tally.shared(known)
        if shared.total:
            first = ", ".join(f"line {row.line} is line {row.first}" for row in shared.shown)
            verb = "is" if shared.total == 1 else "are"
            message = f"{counted(shared.total, unit)} to evaluate on {verb} in {other.name} too: {first}"
            level = LEVELS[policy]
            yield Problem(str(path), shared.shown[0].line, 1, OVERLAP, message, WAY_OUT[level], "data", level)


def counted(number: int, unit: str = "row") -> str:
    """`1 row`, `2 rows`, `2 queries`."""
    return f"{number} {unit if number == 1 else 'queries' if unit == 'query' else f'{unit}s'}"


def warning(path: Path, line: int, message: str, remedy: str) -> Problem:
    """A warning about a line of a data file."""
    return Problem(str(path), line, 1, "", message, remedy, "data", "warning")
