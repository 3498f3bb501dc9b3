"""Writes rows of queries and passages as FlagEmbedding reads them: grouped by query, a share held out.

Triplets and pairs are gathered in a database beside the output, so that memory stays small.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import blake2b, sha256
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from ftctl.data.gather import Gathered
from ftctl.data.negatives import Pool
from ftctl.errors import FtctlError, UsageError
from ftctl.facts import retrieval_rows
from ftctl.facts.datasets import STEP, Watch
from ftctl.facts.retrieval_pass import Pass, Wanted, begun
from ftctl.facts.retrieval_rows import Parts
from ftctl.facts.rows import file_type, read_rows
from ftctl.job.model import Dataset


class Kept(NamedTuple):
    """A row: its parts, and what else of it is written."""

    parts: Parts
    more: dict[str, Any]


@dataclass(frozen=True)
class Source:
    """One file to convert and where its rows go; without `held_out_to` none of them is held out."""

    dataset: Dataset
    to: Path
    held_out_to: Path | None = None
    negatives_needed: bool = True


@dataclass(frozen=True)
class How:
    """How rows are converted. `share` of the queries is held out (0 to 1; a count from 1 on); a query
    without negatives gets `negatives` of them. `prompts`, `scores`: whether rows keep these."""

    share: float = 0.0
    seed: int = 42
    negatives: int = 7
    task: str = "embedding"
    prompts: bool = False
    scores: bool = False


@dataclass(frozen=True)
class Written:
    """What became of one file: rows written to each side, and what was left out, dropped or drawn."""

    file: Path
    format: str
    rows: int = 0
    held_out: int = 0
    without_positive: int = 0  # queries that were left out
    contradictions: int = 0  # negatives that are a positive of the same query: dropped
    drawn: int = 0  # queries that got negatives at random


def convert(sources: Sequence[Source], how: How, watch: Watch | None = None) -> tuple[Written, ...]:
    """Write every source, all or none of the files. The same files, share and seed give the same rows.

    Raises UsageError where a file cannot be read or written; FtctlError for the first bad row, and where
    nothing is left to train on.
    """
    with ExitStack() as stack:
        places = [_scratch(source.to, stack) for source in sources]
        read = [
            _opened(source, how, watch, place, stack) for source, place in zip(sources, places, strict=True)
        ]
        pool, bound = _looked_over(read, how)
        written = tuple(_write(one, how, pool, bound) for one in read)
        for one in read:
            (one.place / "rows").replace(one.source.to)
            if one.source.held_out_to is not None:
                (one.place / "held_out").replace(one.source.held_out_to)
    return written


class _Read(NamedTuple):
    """A source that can be read as often as is needed: `rows` begins anew at every call."""

    source: Source
    format: str
    rows: Callable[[], Iterator[Kept]]
    place: Path


def _scratch(path: Path, stack: ExitStack) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".converting.", dir=path.parent))
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}", "name another file") from None
    stack.callback(shutil.rmtree, scratch, ignore_errors=True)
    return scratch


def _opened(source: Source, how: How, watch: Watch | None, place: Path, stack: ExitStack) -> _Read:
    """Triplets and pairs are gathered by query at once; rows that have it all are read where they are."""
    first = next(iter(_rows(source, how, None)), None)
    if first is None:
        raise FtctlError(f"{source.dataset.path}: the file has no rows", "put at least one row in it")
    if first[0].name == "retrieval":
        return _Read(source, "retrieval", lambda: (kept for _, kept in _rows(source, how, watch)), place)
    gathered = stack.enter_context(Gathered(place / "gathered.db"))
    for _, kept in _rows(source, how, watch):
        gathered.add(kept.parts)
    return _Read(source, first[0].name, lambda: (Kept(parts, {}) for parts in gathered.rows()), place)


def _rows(source: Source, how: How, watch: Watch | None) -> Iterator[tuple[Pass, Kept]]:
    """The rows of a file as they stand. Raises FtctlError for the first bad one."""
    path, rows, told = source.dataset.path, None, 0
    try:
        kind, size = file_type(path), path.stat().st_size
        for row in islice(read_rows(path, kind, sha256(), as_engine=False), source.dataset.max_samples):
            if rows is None and not row.broken:
                rows = _begun(source, how, kind, row.value)
            wrong = row.broken or (rows.check(row.value) if rows is not None else "")
            if wrong or rows is None:
                remedy = f"`ftctl data check {path}` shows all that is wrong"
                raise FtctlError(f"{path}:{row.line}: {wrong}", remedy)
            yield rows, _kept(rows, row.value, how)
            if watch is not None and row.offset >= told:
                told = row.offset + STEP
                watch(path, row.offset, size)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}", "correct the path") from None


def _begun(source: Source, how: How, kind: str, value: Any) -> Pass:
    first = value if isinstance(value, dict) else {}
    wanted = Wanted(how.task, None, how.scores, negatives=how.scores)
    name = "" if source.dataset.format == "auto" else source.dataset.format
    rows, wrong = begun(kind, name, first, source.dataset, how.task, wanted)
    if rows is None:
        what = wrong[0] if wrong else "the first row has no format that is known"
        raise FtctlError(f"{source.dataset.path}: {what}", "set the dataset's format and columns")
    return rows


def _kept(rows: Pass, value: Mapping[str, Any], how: How) -> Kept:
    """A checked row; scores as numbers with a point, so that the engine finds one type everywhere."""
    parts = retrieval_rows.parts_of(rows.name, value, rows.columns, rows.threshold)
    more: dict[str, Any] = {}
    if rows.name != "retrieval":
        return Kept(parts, more)
    if how.scores:
        for key in ("pos_scores", "neg_scores"):
            more[key] = [float(score) for score in value[rows.columns[key]]]
    prompt = value.get(rows.columns["prompt"])
    if how.prompts and prompt is not None:
        more["query_prompt" if how.task == "reranker" else "prompt"] = prompt
    if isinstance(value.get("type"), str):
        more["type"] = value["type"]
    return Kept(parts, more)


def _looked_over(read: Sequence[_Read], how: How) -> tuple[Pool, int]:
    """Positives to draw negatives from, and the number up to which a query's own says: held out.

    Each query's number depends on it and the seed alone, so that no query is on both sides, in any file.
    """
    pool, numbers = Pool(how.seed), set()
    for one in read:
        splits = one.source.held_out_to is not None and how.share > 0
        for kept in one.rows():
            pool.see(kept.parts.query, kept.parts.pos)
            if splits and kept.parts.pos:
                numbers.add(number_of(kept.parts.query, how.seed))
    if not numbers:
        return pool, -1
    share = int(how.share) if how.share >= 1 else max(1, round(how.share * len(numbers)))
    if share >= len(numbers):
        message = f"of {len(numbers)} queries {share} are to be held out: none is left to train on"
        raise FtctlError(message, "hold out fewer")
    return pool, sorted(numbers)[share - 1]


def number_of(query: str, seed: int) -> int:
    """A number of 64 bits that a query has for a seed, whatever stands around it."""
    text = query.strip().encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=8, key=str(seed).encode()).digest(), "big")


def _write(read: _Read, how: How, pool: Pool, bound: int) -> Written:
    source, counts = read.source, dict.fromkeys(("rows", "held_out", "lone", "both", "drawn"), 0)
    splits = source.held_out_to is not None and bound >= 0
    with ExitStack() as stack:
        files = {
            part: stack.enter_context(open(read.place / part, "w", encoding="utf-8", newline="\n"))
            for part in ("rows", "held_out")
        }
        for (query, pos, neg), more in read.rows():
            good = [text for text in neg if text not in pos] if neg else neg
            counts["both"] += len(neg) - len(good)
            if not pos:
                counts["lone"] += 1
                continue
            part = "held_out" if splits and number_of(query, how.seed) <= bound else "rows"
            if not good and part == "rows" and source.negatives_needed:
                good = pool.draw(query, pos, how.negatives)
                counts["drawn"] += 1
                if not good:
                    message = (
                        f"{source.dataset.path}: there is no other query whose positives could be negatives"
                    )
                    raise FtctlError(message, "add negatives, or more queries")
            row = {"query": query, "pos": pos, "neg": good, **more}
            files[part].write(json.dumps(row, ensure_ascii=False) + "\n")
            counts[part] += 1
        for file in files.values():
            file.flush()
            os.fsync(file.fileno())
    if not counts["rows"]:
        raise FtctlError(f"{source.dataset.path}: no query with a positive is left in it", "hold out fewer")
    return Written(source.dataset.path, read.format, *counts.values())
