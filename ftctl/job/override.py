"""`--set KEY=VALUE`: one key of the job, replaced before it is checked."""

from __future__ import annotations

from typing import Any

from ftctl.errors import JobError, Problem
from ftctl.job.environment import SECRET
from ftctl.job.node import Node, Path, Place, problem, tree, values
from ftctl.job.shape import Schema, at, takes, types
from ftctl.job.yaml12 import compose

_SHOWN = 48


def apply(root: Node, overrides: tuple[str, ...], schema: Schema) -> tuple[Node, tuple[Problem, ...]]:
    """The tree with every override in it, later ones over earlier ones, and those that cannot be read.

    A key that the schema does not know is put in as well: the check then says what was meant.
    """
    problems: list[Problem] = []
    for text in overrides:
        key, equals, value = text.partition("=")
        path = _path(key)
        if not equals or path is None:
            place = Place(f"--set {_cut(text)}")
            problems.append(problem(place, (), "this is not KEY=VALUE", "write --set train.epochs=1"))
            continue
        path = _named(path, schema, values(root))
        found = at(schema, values(root), path)
        secret = found is not None and found.get(SECRET)
        place = Place(f"--set {key.strip()}={'…' if secret else _cut(value)}")
        node, faults = _read(value, found, place)
        problems.extend(problem(place, path, fault.message, fault.remedy) for fault in faults)
        if node is not None and not faults:
            fault_text = _put(root, path, node, schema, removes=found is not None and node.value is None)
            if fault_text:
                problems.append(problem(place, path, *fault_text))
    return root, tuple(problems)


def _path(key: str) -> Path | None:
    """`data.train[0].path` or `data.train.0.path` as a path; None where a part is empty."""
    parts = key.strip().replace("[", ".").replace("]", "").split(".")
    if not all(part and part == part.strip() for part in parts):
        return None
    return tuple(int(part) if part.isascii() and part.isdigit() else part for part in parts)


def _named(path: Path, schema: Schema, document: Any) -> Path:
    """The path with a name of the user's own, in which dots may be, as one part: evaluate.gate's, say."""
    for depth in range(1, len(path) - 1):
        level = at(schema, document, path[:depth])
        others = None if level is None else level.get("additionalProperties")
        if isinstance(others, dict) and types(others) == {"string"}:
            return (*path[:depth], ".".join(map(str, path[depth:])))
    return path


def _read(text: str, schema: Schema | None, place: Place) -> tuple[Node | None, tuple[Problem, ...]]:
    """The value that is meant, by the types that the key takes. `null` takes a key out again."""
    text_only = schema is not None and types(schema) - {"null"} == {"string"}
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    if text_only and not quoted and text != "null":
        return Node(text, place), ()
    try:
        parsed, problems = compose(text, place.source)
    except JobError as error:
        parsed, problems = None, error.problems
    node = tree(values(parsed), place) if parsed is not None else Node(None if not problems else text, place)
    misread = problems or (schema is not None and node.value is not None and not takes(schema, node.value))
    if misread and schema is not None and takes(schema, text):
        return Node(text, place), ()
    node.plain = isinstance(node.value, str) and not quoted
    return node, problems


def _put(root: Node, path: Path, node: Node, schema: Schema, *, removes: bool) -> tuple[str, str] | None:
    """Write `node` at `path`, making blocks and long forms on the way; what stands in the way otherwise."""
    place, at_node = node.place, root
    for depth, part in enumerate(path):
        last = depth == len(path) - 1
        if at_node.value is None:
            at_node.value = {}
        if isinstance(at_node.value, list):
            if not isinstance(part, int) or part >= len(at_node.value):
                return f"the list has {len(at_node.value)} items and no {part}", "count from 0"
            if last:
                at_node.value[part] = node
            else:
                at_node.value[part] = at_node = _own(at_node.value[part])
            continue
        if not isinstance(at_node.value, dict):
            _lengthen(at_node, at(schema, values(root), path[:depth]))
        if not isinstance(at_node.value, dict):
            return "the key above it holds a single value", "set that key instead"
        name = str(part)
        if last and removes:
            at_node.value.pop(name, None)
            at_node.keys.pop(name, None)
            return None
        at_node.keys[name] = place if last or name not in at_node.value else at_node.keys[name]
        at_node.value[name] = node if last else _own(at_node.value.get(name, Node({}, place)))
        at_node = at_node.value[name]
    return None


def _own(node: Node) -> Node:
    """A copy one level deep, so that a change does not reach the other places that alias the node."""
    value: Any = node.value
    value = dict(value) if isinstance(value, dict) else list(value) if isinstance(value, list) else value
    return Node(value, node.place, dict(node.keys), node.plain)


def _lengthen(node: Node, schema: Schema | None) -> None:
    """Turn a short form into the long one: `model: X` becomes `model: {path: X}`."""
    short = schema.get("x-ftctl-short") if schema is not None else None
    if short:
        node.value = {short: Node(node.value, node.place, plain=node.plain)}
        node.keys = {short: node.place}


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
