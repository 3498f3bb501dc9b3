"""YAML text to a node tree, by YAML 1.2's core rules and within bounds.

PyYAML only delivers the events. What a plain scalar means, what a repeated key is and how much a file may
ask for is decided here, the same with libyaml and without it.
Source of the rules: YAML 1.2.2, section 10.3 (core schema).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import yaml
from yaml import events

from ftctl.errors import JobError, Problem, of_kind
from ftctl.job.node import Node, Path, Place, dotted, problem
from ftctl.job.scalars import INTEGER, MAX_DIGITS, repr_yaml, scalar
from ftctl.job.yaml_text import refuse, syntax

MAX_DEPTH = 64
MAX_NODES = 100_000

_CORE = "tag:yaml.org,2002:"
_LOADERS: dict[str, Any] = {"pure": yaml.BaseLoader, "c": getattr(yaml, "CBaseLoader", yaml.BaseLoader)}


def compose(
    text: str, source: str, *, parser: Literal["c", "pure"] = "c"
) -> tuple[Node | None, tuple[Problem, ...]]:
    """The tree of the one document in `text`, None where it is empty, and what is wrong with it.

    What cannot be kept (a repeated key, a tag) is left out of the tree and named among the problems.
    Raises JobError where the text is no YAML, or asks for more than the bounds allow.
    """
    composer = _Composer(source)
    try:
        node = composer.document(yaml.parse(text, Loader=_LOADERS[parser]))
    except yaml.YAMLError as error:
        raise JobError(of_kind("yaml", [*composer.problems, syntax(error, text, source)])) from None
    return node, of_kind("yaml", composer.problems)


class _Composer:
    """Turns one stream of events into nodes; holds the anchors and the problems met so far."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.anchors: dict[str, Node | None] = {}
        self.problems: list[Problem] = []
        self.count = 0

    def place(self, event: Any) -> Place:
        return Place(self.source, event.start_mark.line + 1, event.start_mark.column + 1)

    def document(self, stream: Iterator[Any]) -> Node | None:
        node = None
        started = False
        for event in stream:
            if isinstance(event, events.DocumentStartEvent):
                if started:
                    message = "a second document begins here (---)"
                    self.problems.append(problem(self.place(event), (), message, "one file holds one job"))
                    return node
                started = True
                node = self.node(next(stream), stream, ())
        return node

    def node(self, event: Any, stream: Iterator[Any], path: Path) -> Node:
        place = self.place(event)
        self.count += 1
        if len(path) >= MAX_DEPTH:
            raise refuse(place, f"nested deeper than {MAX_DEPTH} levels", "a job needs five")
        if self.count > MAX_NODES:
            raise refuse(place, f"more than {MAX_NODES} values", "a job file is short: is it data?")
        if isinstance(event, events.AliasEvent):
            return self.alias(event, path)
        if event.anchor:
            self.anchors[event.anchor] = None
        if isinstance(event, events.ScalarEvent):
            node = self.scalar(event, path)
        elif isinstance(event, events.SequenceStartEvent):
            node = self.sequence(stream, place, path)
            self.check_tag(event, "seq", path)
        else:
            node = self.mapping(stream, place, path)
            self.check_tag(event, "map", path)
        if event.anchor:
            self.anchors[event.anchor] = node
        return node

    def alias(self, event: Any, path: Path) -> Node:
        place = self.place(event)
        node = self.anchors.get(event.anchor)
        if node is None:
            known = event.anchor in self.anchors
            fault = "contains itself" if known else f"has no anchor &{event.anchor} before it"
            raise refuse(place, f"the alias *{event.anchor} {fault}", "write the value out", path)
        self.count += node.size
        if self.count > MAX_NODES:
            message = f"the aliases expand to more than {MAX_NODES} values"
            raise refuse(place, message, "write the values out", path)
        if len(path) + node.depth > MAX_DEPTH:
            raise refuse(
                place, f"the aliases nest deeper than {MAX_DEPTH} levels", "write the values out", path
            )
        return Node(node.value, place, node.keys, node.plain, node.size, node.depth)

    def scalar(self, event: Any, path: Path) -> Node:
        place, text = self.place(event), event.value
        plain = event.style is None or event.style == ""
        if event.tag is None:
            value = scalar(text) if plain else text
            if plain and len(text) > MAX_DIGITS and INTEGER.fullmatch(text):
                message = f"a number of {len(text)} digits"
                self.problems.append(problem(place, path, message, "put text in quotes"))
        else:
            value, plain = self.tagged(event, path), False
        return Node(value, place, plain=plain)

    def tagged(self, event: Any, path: Path) -> Any:
        """A scalar with a tag that says its type."""
        kinds: dict[str, tuple[type, ...]] = {
            "null": (type(None),), "bool": (bool,), "int": (int,), "float": (int, float), "str": (str,)
        }  # fmt: skip
        kind = event.tag.removeprefix(_CORE) if event.tag != "!" else "str"
        if kind == "str":
            return event.value
        value = scalar(event.value)
        fits = isinstance(value, kinds.get(kind, ())) and (kind == "bool" or not isinstance(value, bool))
        if kind in kinds and not fits:
            message = f'"{event.value}" is not what its tag !!{kind} says'
            self.problems.append(problem(self.place(event), path, message, "remove the tag"))
        self.check_tag(event, kind if kind in kinds else "str", path)
        return float(value) if kind == "float" and fits else value

    def check_tag(self, event: Any, kind: str, path: Path) -> None:
        if event.tag not in (None, "!", _CORE + kind):
            name = event.tag.replace(_CORE, "!!")
            self.problems.append(
                problem(self.place(event), path, f"the tag {name} is not known here", "remove it")
            )

    def sequence(self, stream: Iterator[Any], place: Place, path: Path) -> Node:
        children: list[Node] = []
        for event in stream:
            if isinstance(event, events.SequenceEndEvent):
                break
            children.append(self.node(event, stream, (*path, len(children))))
        return _branch(Node(children, place), children)

    def mapping(self, stream: Iterator[Any], place: Place, path: Path) -> Node:
        children: dict[str, Node] = {}
        keys: dict[str, Place] = {}
        for event in stream:
            if isinstance(event, events.MappingEndEvent):
                break
            at = self.place(event)
            key = self.key(self.node(event, stream, (*path, "?")), at, path)
            child = self.node(next(stream), stream, (*path, key or "?"))
            if key is None:
                continue
            if key in keys:
                first = keys[key]
                message = f"is here a second time; it is already in line {first.line}, column {first.column}"
                self.problems.append(problem(at, (*path, key), message, "remove one"))
            else:
                children[key], keys[key] = child, at
        return _branch(Node(children, place, keys), children.values())

    def key(self, node: Node, place: Place, path: Path) -> str | None:
        """The text of a key; None, and a problem, for what cannot be one."""
        if node.plain and node.value == "<<":
            message, remedy = "merge keys (<<) are not part of YAML 1.2", "write the keys out"
        elif isinstance(node.value, str):
            return node.value
        else:
            shown = "a list or a mapping" if isinstance(node.value, (dict, list)) else repr_yaml(node.value)
            message, remedy = f"{shown} cannot be a key: keys are text", "put it in quotes"
        where = f"in {dotted(path)}" if path else "at the top level"
        self.problems.append(problem(place, path, f"{message} ({where})", remedy))
        return None


def _branch(node: Node, children: Any) -> Node:
    for child in children:
        node.size += child.size
        node.depth = max(node.depth, child.depth + 1)
    return node
