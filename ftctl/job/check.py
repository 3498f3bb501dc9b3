"""The document against the schema and the rules: every problem, each with its place and the way out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, cast

from ftctl.errors import Problem, of_kind
from ftctl.job import explain, later, rules
from ftctl.job.explain import Fault
from ftctl.job.node import Node, Path, place_of, problem, value_place, values, walk
from ftctl.job.shape import Schema, form
from ftctl.job.suggest import key_remedy

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

Finding = tuple[Path, Problem]

# A level with more unknown keys than this is no job, and to guess at each takes half a millisecond.
MAX_SUGGESTIONS = 100

_KINDS = {
    "type": "type",
    "minimum": "range",
    "maximum": "range",
    "exclusiveMinimum": "range",
    "exclusiveMaximum": "range",
}


def check(root: Node, schema: Schema) -> tuple[Problem, ...]:
    """All problems of a document, in no order. `schema` must be free of `$ref` (`shape.inline`)."""
    return look(root, schema)[0]


def look(root: Node, schema: Schema) -> tuple[tuple[Problem, ...], frozenset[str]]:
    """All problems of a document, and the dotted keys that the rules it breaks have looked at."""
    document = values(root)
    if not isinstance(document, dict):
        message = f"a job is a mapping of keys, this is {explain.describe(document)}"
        return (problem(root.place, (), message, "begin with name: and model:", "type"),), frozenset()
    not_yet, later_paths = later.refused(root, schema)
    infinite = dict(_not_finite(root))
    wrong = [found for found in _schema_problems(root, document, schema) if found[0] not in infinite]
    kept = [found for found in (*infinite.items(), *wrong) if not _under(found[0], later_paths)]
    meant = {path for found in kept for path in _meant(*found)}
    kept = [(path, fault) for path, fault in kept if path not in meant or fault.message != "is missing"]
    bad = (*later_paths, *meant, *(path for path, _ in kept))
    ruled = list(rules.broken(document, bad))
    said = [problem(value_place(root, path), path, *words, name) for name, path, words, _ in ruled]
    asked = frozenset[str]().union(*(keys for *_, keys in ruled))
    return (*of_kind("later", not_yet), *(fault for _, fault in kept), *said), asked


def _meant(path: Path, fault: Problem) -> Iterator[Path]:
    """The key that a misspelt one stands for: nothing else is said about it, as that it is missing."""
    if fault.remedy.startswith("did you mean ") and " is not a key of " in fault.message:
        name = fault.remedy.removeprefix("did you mean ").removesuffix("?")
        yield tuple(name.split(".")) if "." in name else (*path[:-1], name)


def _under(path: Path, paths: Iterable[Path]) -> bool:
    return any(path[: len(above)] == above for above in paths)


def _not_finite(root: Node) -> Iterator[Finding]:
    """JSON Schema lets infinity and not-a-number through every range."""
    for path, node in walk(root):
        if isinstance(node.value, float) and not math.isfinite(node.value) and "native" not in path:
            yield path, problem(node.place, path, f"is {node.value}, a finite number is wanted", "", "range")


def _schema_problems(root: Node, document: Any, schema: Schema) -> Iterator[Finding]:
    from jsonschema.validators import Draft202012Validator

    # The schema itself is checked by a test, not at every start.
    for error in Draft202012Validator(schema).iter_errors(document):
        for fault in _faults(error):
            yield from _findings(root, schema, fault)


def _faults(error: ValidationError) -> Iterator[Fault]:
    """The errors of the one form that the value is of; the error itself where it is of none."""
    found: Any = error.schema
    chosen = form(found, error.instance) if error.validator == "anyOf" else None
    if chosen is None:
        yield from _whole(error)
        return
    index = next(number for number, branch in enumerate(found["anyOf"]) if branch is chosen)
    for inner in error.context or ():
        if inner.schema_path[0] == index:
            # A form that is one word or size is explained together with the other forms.
            fixed = inner.validator in ("enum", "const", "pattern", "minLength") and not inner.path
            yield from _faults(inner) if not fixed else _whole(error)


def _whole(error: ValidationError) -> Iterator[Fault]:
    path, schema = tuple(error.absolute_path), cast(Schema, error.schema)
    yield Fault(path, str(error.validator), error.validator_value, error.instance, schema, error.message)


def _findings(root: Node, schema: Schema, fault: Fault) -> Iterator[Finding]:
    path = fault.path
    if fault.keyword == "additionalProperties":
        keys = fault.schema["properties"]
        where = f"of {_name(path)}" if path else "of a job"
        for number, key in enumerate(key for key in fault.instance if key not in keys):
            unknown = (*path, key)
            remedy = key_remedy(schema, path, key, keys) if number < MAX_SUGGESTIONS else ""
            message = f"{key} is not a key {where}"
            yield unknown, problem(place_of(root, unknown), unknown, message, remedy, "unknown-key")
    elif fault.keyword == "required":
        # jsonschema reports one missing key per error and names it in its message alone.
        for key in fault.limit:
            if f"{key!r} is a required" in fault.message:
                remedy = explain.example(key, fault.schema["properties"][key])
                missing = (*path, key)
                yield missing, problem(place_of(root, path), missing, "is missing", remedy, "missing-key")
    else:
        message, remedy = explain.explain(fault)
        kind = _KINDS.get(fault.keyword, "value")
        yield path, problem(value_place(root, path), path, message, remedy, kind)


def _name(path: Path) -> str:
    return ".".join(str(part) for part in path if not isinstance(part, int))
