"""Keys and values that the schema knows and this version refuses by name."""

from __future__ import annotations

from collections.abc import Iterator

from ftctl.errors import Problem
from ftctl.job.node import Node, Path, problem, value_place, values, walk
from ftctl.job.shape import Schema, at

LATER = "x-ftctl-later"


def refused(root: Node, schema: Schema) -> tuple[tuple[Problem, ...], tuple[Path, ...]]:
    """What the document asks for that is not there yet, and the paths that it was asked at."""
    found = [(path, message, remedy) for path, message, remedy in _asked(root, schema)]
    problems = [problem(value_place(root, path), path, message, remedy) for path, message, remedy in found]
    return tuple(problems), tuple(path for path, _, _ in found)


def _asked(root: Node, schema: Schema) -> Iterator[tuple[Path, str, str]]:
    document = values(root)
    for path, node in walk(root):
        key = at(schema, document, path)
        later = key.get(LATER) if key is not None else None
        if later is None or node.value is None:
            continue
        if "key" in later:
            yield path, "not available in this version", f"remove it; {path[-1]} {later['key']}"
        elif isinstance(node.value, str) and node.value in later.get("values", ()):
            usable = [str(value) for value in key["enum"] if value not in later["values"]]  # type: ignore[index] # key is not None where later is not
            remedy = f"use {' or '.join(usable)}; {node.value} {later['values'][node.value]}"
            yield path, f"{node.value}: not available in this version", remedy
        elif "above" in later and type(node.value) in (int, float) and node.value > later["above"]:
            remedy = f"write {later['above']}; more {later['why']}"
            yield path, f"{node.value}: not available in this version", remedy
