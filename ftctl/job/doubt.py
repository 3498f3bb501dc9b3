"""What is in doubt in a job that has mistakes: nothing may be said that rests on a wrong key.

A job is checked in two stages, and both speak in one run. The first holds the document against the schemas
and finds wrong keys. The second looks at the data, the model, the engines' rules and the plan; it works on
what is left of the job, and of what it finds, only that is said which would be true whatever the wrong keys
are mended to. A mistake that is hidden so is found in the next run; a mistake that is none is never told.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ftctl.errors import Problem, shown_text
from ftctl.job.model import Job
from ftctl.job.native import own_keys
from ftctl.job.node import Node, Path, dotted
from ftctl.job.shape import Schema, form, step

# One file of rows: only these of its keys leave what is read of it as it is.
_ROWS = re.compile(r"((?:data\.(?:train|eval|test)|evaluate\.data)(?:\[\d+\])?)\.(?!(?:weight|max_samples)$)")
_MEANT = re.compile(r"did you mean ([\w.-]+)\?|set ([a-z_]+\.[\w.]+)")
_NATIVE = re.compile(r"(train|deploy)\.native\.-*([\w-]+)")


@dataclass(frozen=True)
class Doubt:
    """The dotted keys whose values are not known; the empty key stands for all of the job."""

    keys: frozenset[str] = frozenset()

    def of(self, key: str) -> bool:
        """Whether the key, or one that it stands below, is in doubt."""
        return bool(self.keys) and any(above in self.keys for above in _upward(key))

    def within(self, *keys: str) -> bool:
        """Whether anything of these keys is in doubt: they themselves, or what is above or below them."""
        return any(self.of(key) or any(_below(wrong, key) for wrong in self.keys) for key in keys)


SURE = Doubt()


@dataclass(frozen=True)
class Draft:
    """A job without its wrong keys, which have their defaults, and what is wrong with it."""

    job: Job
    problems: tuple[Problem, ...] = ()
    doubt: Doubt = SURE


def doubted(problems: Iterable[Problem], looked_at: Iterable[str] = ()) -> Doubt:
    """What is in doubt: every wrong key, the key that it may be meant for, and what a rule looked at."""
    keys = {*looked_at}
    for problem in problems:
        keys |= {problem.key, *_meant(problem), *_same(problem.key)}
    return Doubt(frozenset(keys))


def silenced(problems: Iterable[Problem]) -> tuple[str, ...]:
    """The engines' rules that misspelt names in `silence` stand for."""
    wrong = (problem for problem in problems if problem.key.startswith("silence["))
    return tuple(found[1] for problem in wrong if (found := _MEANT.match(problem.remedy)) and found[1])


def without(root: Node, problems: Iterable[Problem], schema: Schema) -> Node:
    """The tree without its wrong keys; a block that then lacks what it must have goes as a whole.

    A file of rows goes whole, and a folder that is not there stays: the value is a right one.
    """
    wrong = {_file(problem.key) for problem in problems if problem.kind != "path"}
    wrong |= {
        _file(problem.key) for problem in problems if problem.key.startswith(("data.", "evaluate.data"))
    }
    return _without(root, wrong, schema, ()) or Node({}, root.place)


def _without(node: Node, wrong: set[str], schema: Schema | None, path: Path) -> Node | None:
    if path and shown_text(dotted(path)) in wrong:
        return None
    value: Any = node.value
    if isinstance(value, dict):
        below = {k: _without(v, wrong, step(schema, k, value), (*path, k)) for k, v in value.items()}
        value = {key: kept for key, kept in below.items() if kept is not None}
        needed = (form(schema, value) or {}).get("required", ()) if schema is not None and path else ()
        if any(key not in value for key in needed):
            return None
    elif isinstance(value, list):
        items = [_without(v, wrong, step(schema, i, value), (*path, i)) for i, v in enumerate(value)]
        value = [kept for kept in items if kept is not None]
    return Node(value, node.place, node.keys, node.plain, node.size, node.depth)


def _file(key: str) -> str:
    found = _ROWS.match(key)
    return found[1] if found else key


def _meant(problem: Problem) -> Iterator[str]:
    """The keys that may be meant by a wrong one: those that the remedy names, and an engine's argument."""
    above, _, last = problem.key.rpartition(".")
    for near, own in _MEANT.findall(problem.remedy):
        name = near or own
        yield name if "." in name or not above else f"{above}.{name}"
        yield from _same(f"{above}.{name}")
    if f"{last} belongs " in problem.remedy:
        levels = re.findall(r" in ([a-z_.]+)", problem.remedy)
        yield from (f"{level}.{last}" for level in levels)
        yield last
    if problem.kind == "unknown-key":
        yield f"{above}.native.{last}"
        yield from _same(f"{above}.native.{last}")


def _same(key: str) -> Iterator[str]:
    """The job's own keys for an engine's argument."""
    if found := _NATIVE.match(key):
        name = found[2].replace("-", "_")
        tables = ("train", "flagembedding") if found[1] == "train" else ("deploy",)
        yield from own_keys(name, *tables)


def _upward(key: str) -> Iterator[str]:
    """The key, and every key above it, the empty one last."""
    while key:
        yield key
        key = key[: max(key.rfind("."), key.rfind("["), 0)]
    yield ""


def _below(key: str, above: str) -> bool:
    return key.startswith((f"{above}.", f"{above}["))
