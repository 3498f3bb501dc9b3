"""Holds rows of training files out, as a run's `native/split.json` asks: seeded, disjoint, recorded by hash.

Which rows are held out follows from the seed and from what they say alone. Rows that say the same are in one
part, and training rows that say nearly what a held-out row says are left out.
"""

from __future__ import annotations

import json
import os
from array import array
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import blake2b, sha256
from itertools import groupby
from pathlib import Path
from typing import Any

from ftctl.errors import FtctlError, UsageError
from ftctl.facts.near import HeldOut, tokens_of
from ftctl.facts.rows import file_type, read_rows
from ftctl.facts.texts import spoken_of

TRAIN, NOWHERE = "train", "nowhere"


@dataclass(frozen=True)
class Source:
    """One training file. `take` is how many of its rows are wanted, `held_out` how many each side gets, and
    `to` where each side is written."""

    path: Path
    format: str
    columns: Mapping[str, str]
    tags: Mapping[str, str]
    take: int | None
    held_out: Mapping[str, int]
    to: Mapping[str, str]


@dataclass(frozen=True)
class Split:
    """What is to be held out of which files."""

    seed: int
    overlap: str
    files: tuple[Source, ...]


def read(file: Path) -> Split:
    """What `trainers/parted.py` wrote. Raises UsageError where it is none."""
    try:
        value = json.loads(file.read_bytes())
        files = tuple(Source(**{**one, "path": Path(one["path"])}) for one in value["files"])
        return Split(value["seed"], value["overlap"], files)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{file}: no split: {error}", "name the file that a run's step names") from None


def write(asked: Split, folder: Path) -> dict[str, Any]:
    """Write every part below `folder`, all or none, and return the record of it.

    Raises FtctlError where a row cannot be read, or a file has nothing left to train on.
    """
    places = [_places(source, asked.seed) for source in asked.files]
    near = None if asked.overlap == "allow" else _near(asked.files, places)
    parts: dict[str, dict[str, Any]] = {}
    hashes: dict[str, Any] = {}
    left_out = 0
    with ExitStack() as stack:
        for source, place in zip(asked.files, places, strict=True):
            files = {side: _Part(stack, folder / name) for side, name in source.to.items()}
            for row, side in zip(_rows(source), place, strict=True):
                if side == NOWHERE:
                    continue
                if side == TRAIN and near is not None and near.find(_spoken(source, row)) is not None:
                    left_out += 1
                    continue
                line = files[side].add({name: row.get(name) for name in source.columns.values()})
                hashes.setdefault(side, sha256()).update(line)
                known = parts.setdefault(side, {"rows": 0})
                known["rows"] += 1
            _check(source, files)
        for side, digest in hashes.items():
            parts[side]["sha256"] = digest.hexdigest()
        stack.pop_all().close()
    for source in asked.files:
        for name in source.to.values():
            _scratch(folder / name).replace(folder / name)
    return {"version": 1, "seed": asked.seed, "parts": parts, "near_left_out": left_out}


class _Part:
    """A part that is being written; it has its own name once all are whole."""

    def __init__(self, stack: ExitStack, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.rows = 0
        self._file = stack.enter_context(_scratch(path).open("wb"))
        stack.callback(self._settle)

    def add(self, row: Mapping[str, Any]) -> bytes:
        line = json.dumps(row, ensure_ascii=False, default=str).encode() + b"\n"
        self._file.write(line)
        self.rows += 1
        return line

    def _settle(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())


def _scratch(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")


def _rows(source: Source) -> Iterator[Mapping[str, Any]]:
    try:
        rows = read_rows(source.path, file_type(source.path), sha256(), as_engine=False)
        for row in rows:
            if row.broken or not isinstance(row.value, dict):
                what = row.broken or "this is no object"
                raise FtctlError(f"{source.path}:{row.line}: {what}", f"ftctl data check {source.path}")
            yield row.value
    except OSError as error:
        raise FtctlError(f"{source.path}: cannot be read: {error.strerror}", "correct the path") from None


def _spoken(source: Source, row: Mapping[str, Any]) -> list[str]:
    return spoken_of(source.format, row, source.columns, source.tags)


def _places(source: Source, seed: int) -> list[str]:
    """The side of every row of a file."""
    numbers, draws = array("Q"), array("Q")
    key = str(seed).encode()
    for row in _rows(source):
        said = "\n".join(tokens_of(_spoken(source, row))).encode("utf-8", "surrogatepass")
        digest = blake2b(said, digest_size=16, key=key).digest()
        numbers.append(int.from_bytes(digest[:8], "big"))
        draws.append(int.from_bytes(digest[8:], "big"))
    chosen = sorted(range(len(numbers)), key=lambda at: (draws[at], at))[: source.take]
    places = [NOWHERE] * len(numbers)
    for at in chosen:
        places[at] = TRAIN
    _hold_out(places, sorted(chosen, key=lambda at: (numbers[at], at)), numbers, source.held_out)
    return places


def _hold_out(places: list[str], ordered: list[int], numbers: array[int], wanted: Mapping[str, int]) -> None:
    """Give each side its rows: whole groups of those that say the same, as many as fit."""
    left = dict(wanted)
    for _, group in groupby(ordered, key=lambda row: numbers[row]):
        rows = list(group)
        side = next((side for side, count in left.items() if count >= len(rows)), None)
        if side is None:
            if not any(left.values()):
                return
            continue
        left[side] -= len(rows)
        for row in rows:
            places[row] = side


def _near(sources: tuple[Source, ...], places: list[list[str]]) -> HeldOut:
    """All rows that are held out, to hold training rows against."""
    held = HeldOut()
    for source, place in zip(sources, places, strict=True):
        for number, (row, side) in enumerate(zip(_rows(source), place, strict=True)):
            if side not in (TRAIN, NOWHERE):
                held.add(number, _spoken(source, row))
    return held


def _check(source: Source, files: Mapping[str, _Part]) -> None:
    empty = next((side for side, part in files.items() if not part.rows), None)
    if empty is None:
        return
    what = "left to train on" if empty == TRAIN else f"that could be held out (data.{empty})"
    raise FtctlError(
        f"{source.path}: there are no rows {what}: too many say the same",
        "add rows, hold out other ones, or set data.overlap: allow",
    )


def lines(record: Mapping[str, Any]) -> list[str]:
    """What was written, as sentences."""
    words = {"train": "to train on", "eval": "to evaluate on", "test": "to test"}
    counted = ", ".join(f"{part['rows']} rows {words[side]}" for side, part in sorted(
        record["parts"].items(), key=lambda found: list(words).index(found[0])
    ))  # fmt: skip
    said = [f"{counted}, by seed {record['seed']}"]
    if left := record["near_left_out"]:
        rows = f"{left} training row{'s are' if left > 1 else ' is'}"
        said.append(f"{rows} left out, the same as held-out rows or nearly")
    return said
