"""Rows to evaluate on that are in the training rows too: found while the training files are read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import islice
from pathlib import Path

from ftctl.errors import FtctlError, Problem
from ftctl.facts import formats
from ftctl.facts.near import HeldOut, Near
from ftctl.facts.oddities import LEVELS, OVERLAP, WAY_OUT, counted
from ftctl.facts.rows import file_type, read_rows
from ftctl.facts.texts import spoken_of
from ftctl.job.model import Dataset

SHOWN = 3


class Watched:
    """A held-out file, and what of it was met in each training file: its line → the training row."""

    def __init__(self, dataset: Dataset) -> None:
        self.name, self.path, self.held = repr(dataset), dataset.path, HeldOut()
        for line, texts in spoken_rows(dataset):
            self.held.add(line, texts)


class Meeting:
    """Holds the rows of one training file against every held-out file. `see` is told of each good row."""

    def __init__(self, watched: Sequence[Watched]) -> None:
        self.watched = watched
        self.met: list[dict[int, Near]] = [{} for _ in watched]

    def see(self, line: int, texts: Sequence[str]) -> None:
        for one, met in zip(self.watched, self.met, strict=True):
            found = one.held.find(texts)
            if found is not None:
                before = met.get(found.held)
                if before is None or found.alike > before.alike:
                    met[found.held] = found._replace(line=line)

    def problems(self, train: Path, policy: str) -> Iterator[Problem]:
        """What is to be said of the training file `train`; `policy` is data.overlap."""
        for one, met in zip(self.watched, self.met, strict=True):
            if met:
                yield _said(one, met, train, LEVELS[policy])


def _said(one: Watched, met: Mapping[int, Near], train: Path, level: str) -> Problem:
    rows = sorted(met.values(), key=lambda near: near.held)
    same = [near for near in rows if near.alike == 1]
    nearly = [near for near in rows if near.alike < 1]
    parts = []
    if same:
        first = ", ".join(f"line {near.held} is line {near.line}" for near in same[:SHOWN])
        verb = "is" if len(same) == 1 else "are"
        parts.append(f"{counted(len(same))} to evaluate on {verb} in {train.name} too: {first}")
    if nearly:
        first = ", ".join(f"line {near.held} is {near.alike:.0%} line {near.line}" for near in nearly[:SHOWN])
        verb = "is" if len(nearly) == 1 else "are"
        parts.append(f"{counted(len(nearly))} to evaluate on {verb} nearly in {train.name}: {first}")
    return Problem(str(one.path), rows[0].held, 1, OVERLAP, "; ".join(parts), WAY_OUT[level], "data", level)


def spoken_rows(dataset: Dataset) -> Iterator[tuple[int, list[str]]]:
    """Line and texts of every row that can be read: what is wrong with the others is told elsewhere."""
    form = "" if dataset.format == "auto" else dataset.format
    columns: Mapping[str, str] = {}
    tags: Mapping[str, str] = {}
    try:
        rows = read_rows(dataset.path, file_type(dataset.path), sha256(), as_engine=False)
        for row in islice(rows, dataset.max_samples):
            if not isinstance(row.value, dict):
                continue
            if not columns:
                form = form or formats.detect(row.value, dataset, texts=True) or ""
                if form not in formats.REQUIRED:
                    return
                columns = formats.columns_of(form, dataset, row.value)
                tags = formats.tags_of(form, dataset)
            texts = spoken_of(form, row.value, columns, tags)
            if texts and all(isinstance(text, str) for text in texts):
                yield row.line, texts
    except (OSError, FtctlError):
        return
