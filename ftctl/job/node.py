"""A document as a tree in which every key and value knows its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ftctl.errors import Problem, shown_text

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was written: a file (or `--set KEY=VALUE`), line and column from 1; 0: unknown."""

    source: str
    line: int = 0
    column: int = 0


@dataclass(slots=True)
class Node:
    """A scalar, a list of nodes or a mapping of nodes.

    `keys` holds the place of each key of a mapping; `plain` is true for a scalar without quotes; `size` and
    `depth` count what stands below it, aliases expanded.
    """

    value: Any
    place: Place
    keys: dict[str, Place] = field(default_factory=dict)
    plain: bool = False
    size: int = 1
    depth: int = 1


def values(node: Node) -> Any:
    """The tree as plain mappings, lists and scalars."""
    if isinstance(node.value, dict):
        return {key: values(child) for key, child in node.value.items()}
    if isinstance(node.value, list):
        return [values(child) for child in node.value]
    return node.value


def tree(value: Any, place: Place) -> Node:
    """The node tree of a plain value that stands in one place; the opposite of `values`."""
    if isinstance(value, dict):
        children = {key: tree(child, place) for key, child in value.items()}
        return Node(children, place, dict.fromkeys(children, place))
    if isinstance(value, list):
        return Node([tree(child, place) for child in value], place)
    return Node(value, place)


def walk(node: Node, path: Path = ()) -> Iterator[tuple[Path, Node]]:
    """Every node with its path, in file order, parents first."""
    yield path, node
    if isinstance(node.value, dict):
        for key, child in node.value.items():
            yield from walk(child, (*path, key))
    elif isinstance(node.value, list):
        for index, child in enumerate(node.value):
            yield from walk(child, (*path, index))


def place_of(root: Node, path: Sequence[str | int]) -> Place:
    """The place of a key or of a list's item; of what is above it where it is missing."""
    node, place = root, root.place
    for part in path:
        if isinstance(node.value, dict) and part in node.value:
            place, node = node.keys[str(part)], node.value[part]
        elif isinstance(node.value, list) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            place = node.place
        else:
            return place
    return place


def value_place(root: Node, path: Sequence[str | int]) -> Place:
    """The place of a scalar, or of the key that a list or a mapping belongs to."""
    node: Any = root
    for part in path:
        if not (isinstance(node.value, dict) and part in node.value) and not (
            isinstance(node.value, list) and isinstance(part, int) and part < len(node.value)
        ):
            return place_of(root, path)
        node = node.value[part]  # type: ignore[index] # an index where the value is a list, seen above
    return place_of(root, path) if isinstance(node.value, (dict, list)) else node.place


def dotted(path: Sequence[str | int]) -> str:
    """A path as people write it: `data.train[0].path`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def lookup(document: Any, path: Sequence[str | int]) -> Any:
    """The value at `path` of plain mappings and lists; None where there is none."""
    for part in path:
        inside = isinstance(document, list) and isinstance(part, int) and part < len(document)
        if not inside and not (isinstance(document, Mapping) and part in document):
            return None
        document = document[part]
    return document


def problem(
    place: Place, path: Sequence[str | int], message: str, remedy: str = "", kind: str = ""
) -> Problem:
    """A problem with the key at `path`, in `place`."""
    return Problem(
        place.source,
        place.line,
        place.column,
        shown_text(dotted(path)),
        shown_text(message),
        shown_text(remedy),
        kind,
    )
