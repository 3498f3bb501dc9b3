"""Splits files into parts: seeded, each group of rows by the same ratios, written whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from array import array
from collections.abc import Iterator, Sequence
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

from ftctl.errors import FtctlError, UsageError
from ftctl.facts.rows import file_type, read_rows

NAMES = {2: ("train", "eval"), 3: ("train", "eval", "test")}


def ratios_of(text: str) -> tuple[Fraction, ...]:
    """`80/10/10` as shares that add up to one. Raises UsageError."""
    try:
        parts = [Fraction(part) for part in text.split("/")]
    except (ValueError, ZeroDivisionError):
        parts = []
    if len(parts) not in NAMES or any(part <= 0 for part in parts):
        raise UsageError(
            f"--ratios {text}: no ratios", "write two or three numbers above 0, such as 80/10/10"
        )
    return tuple(part / sum(parts) for part in parts)


def split(
    paths: Sequence[Path], ratios: Sequence[Fraction], seed: int, output: Path, *, by: str | None = None
) -> dict[Path, int]:
    """Write the rows of `paths` into `output` as JSON Lines, each part a file; the rows of each file.

    Every group (a source file, and in it each value of the column `by`) is split by the same ratios, so
    that rare groups stand in every part in proportion. Rows keep their order; the same files, ratios and
    seed give the same parts. Raises UsageError where `output` is there already or a row lacks the column;
    FtctlError where a row cannot be read.
    """
    if output.exists() or output.is_symlink():
        raise UsageError(f"{output}: it is there already", "name a folder that is not there yet")
    places = assign(_groups(paths, by), ratios, seed)
    names = [f"{name}.jsonl" for name in NAMES[len(ratios)]]
    output.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent))
    try:
        counts = _write(paths, places, [scratch / name for name in names])
        scratch.chmod(0o777 & ~_umask())
        scratch.rename(output)
    except OSError as error:
        raise UsageError(f"{output}: cannot be written: {error.strerror}", "name another folder") from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return {output / name: count for name, count in zip(names, counts, strict=True)}


def assign(groups: dict[str, array[int]], ratios: Sequence[Fraction], seed: int) -> bytearray:
    """The part of every row. What the ratios do not divide evenly falls to the part that is most behind."""
    places = bytearray(sum(map(len, groups.values())))
    behind = [Fraction(0)] * len(ratios)
    for name in sorted(groups):
        rows = list(groups[name])
        # A group's order depends on its own name alone: another group more changes nothing here.
        digest = sha256(f"{seed}:{name}".encode("utf-8", "surrogatepass")).digest()
        Random(digest).shuffle(rows)  # noqa: S311 - a seed that gives the same parts is wanted
        behind = [due + len(rows) * ratio for due, ratio in zip(behind, ratios, strict=True)]
        counts = [max(0, int(due)) for due in behind]
        while sum(counts) > len(rows):
            counts[counts.index(max(counts))] -= 1
        while sum(counts) < len(rows):
            open_ = [due - count for due, count in zip(behind, counts, strict=True)]
            counts[open_.index(max(open_))] += 1
        behind = [due - count for due, count in zip(behind, counts, strict=True)]
        start = 0
        for part, count in enumerate(counts):
            for row in rows[start : start + count]:
                places[row] = part
            start += count
    return places


def _rows(paths: Sequence[Path]) -> Iterator[tuple[Path, int, Any]]:
    for path in paths:
        if not path.is_file():
            raise UsageError(f"{path}: there is no such file", "correct the path")
        try:
            for row in read_rows(path, file_type(path), sha256()):
                if row.broken:
                    raise FtctlError(f"{path}:{row.line}: {row.broken}", f"ftctl data check {path} shows all")
                yield path, row.line, row.value
        except OSError as error:
            raise UsageError(f"{path}: cannot be read: {error.strerror}", "correct the path") from None


def _groups(paths: Sequence[Path], by: str | None) -> dict[str, array[int]]:
    """The numbers of the rows, from 0, of each value of the column `by`."""
    groups: dict[str, array[int]] = {}
    for number, (path, line, value) in enumerate(_rows(paths)):
        name = path.name
        if by is not None:
            if not isinstance(value, dict) or value.get(by) is None:
                held = ", ".join(value) if isinstance(value, dict) else "no columns"
                raise UsageError(
                    f"{path}:{line}: this row has no {by}", f"name a column that all have: {held}"
                )
            name += f":{json.dumps(value[by], sort_keys=True, default=str)}"
        groups.setdefault(name, array("I")).append(number)
    if not groups:
        raise UsageError(f"{paths[0]}: there are no rows", "name a file with rows")
    return groups


def _write(paths: Sequence[Path], places: bytearray, parts: Sequence[Path]) -> list[int]:
    counts = [0] * len(parts)
    files = [open(part, "w", encoding="utf-8", newline="\n") for part in parts]  # noqa: SIM115 - closed below
    try:
        for number, (_, _, value) in enumerate(_rows(paths)):
            part = places[number]
            files[part].write(json.dumps(value, ensure_ascii=False, default=str) + "\n")
            counts[part] += 1
        for file in files:
            file.flush()
            os.fsync(file.fileno())
    finally:
        for file in files:
            file.close()
    return counts


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
