"""One schema error as a sentence and a way out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ftctl.job.environment import SECRET
from ftctl.job.later import LATER
from ftctl.job.node import Path
from ftctl.job.scalars import repr_yaml, scalar
from ftctl.job.shape import Schema, type_name, types
from ftctl.job.suggest import nearest

Said = tuple[str, str]


@dataclass(frozen=True)
class Fault:
    """One validation error: the failing keyword and its value, the instance, and the schema it failed."""

    path: Path
    keyword: str
    limit: Any
    instance: Any
    schema: Schema
    message: str


_NAMES = {
    "string": "text", "integer": "a whole number", "number": "a number", "boolean": "true or false",
    "array": "a list", "object": "a mapping", "null": "null",
}  # fmt: skip
_YES_NO = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}


def describe(value: Any) -> str:
    """A value as a reader sees it: `text ("fast")`, `a list`, `empty`."""
    if value is None:
        return "empty"
    if isinstance(value, str):
        return f"text ({repr_yaml(value)})"
    if isinstance(value, (dict, list)):
        return "a mapping" if isinstance(value, dict) else "a list"
    return repr_yaml(value)


def example(key: str, schema: Schema) -> str:
    """A line that would do, from the schema's own examples; "" where it has none."""
    if not schema.get("examples"):
        return ""
    shown = schema["examples"][0]
    text = shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False)
    return f"write for example {key}: {text}"


def explain(error: Fault) -> Said:
    """What is wrong with one value, and what to write instead."""
    if error.schema.get(SECRET):
        # The value may be the secret itself, so it is not repeated.
        return "a secret is not written into a job", "write a reference such as ${env:FTCTL_API_KEY}"
    said = _EXPLAIN.get(error.keyword)
    return said(error) if said is not None else (f"is {describe(error.instance)}", error.message)


def _key(error: Fault) -> str:
    parts = [part for part in error.path if not isinstance(part, int)]
    return str(parts[-1]) if parts else "it"


def wanted(schema: Schema) -> str:
    """What a key takes, in words; null is left out, for it only says that a key is not set."""
    if "x-ftctl-wanted" in schema:
        return str(schema["x-ftctl-wanted"])
    if "enum" in schema:
        return ", ".join(_usable(schema))
    return " or ".join(_NAMES[name] for name in sorted(types(schema) - {"null"}))


def _usable(schema: Schema) -> list[str]:
    later: Mapping[str, str] = schema.get(LATER, {}).get("values", {})
    return [str(value) for value in schema["enum"] if value is not None and value not in later]


def _type(error: Fault) -> Said:
    value, schema = error.instance, error.schema
    accepted = types(schema)
    if value is None and accepted == {"object"}:
        return "is empty", "write {} for its defaults, or remove the key"
    said = f"wanted: {wanted(schema)}" if "x-ftctl-wanted" in schema else f"{wanted(schema)} is wanted"
    return f"is {describe(value)}, {said}", _type_remedy(error, accepted)


def _type_remedy(error: Fault, accepted: frozenset[str]) -> str:
    value = error.instance
    if isinstance(value, str):
        if accepted & {"number", "integer"} and type_name(scalar(value)) in ("number", "integer"):
            return f"write {value} without quotes"
        if "boolean" in accepted and value.lower() in _YES_NO:
            return f"write {_YES_NO[value.lower()]} ({value} is text in YAML 1.2)"
        if "boolean" in accepted and isinstance(scalar(value.lower()), bool):
            return f"write {value.lower()} without quotes"
        if "array" in accepted and value:
            return f"write [{value}]"
    elif "string" in accepted and not isinstance(value, (dict, list, type(None))):
        return f'write "{repr_yaml(value)}" in quotes'
    return example(_key(error), error.schema)


def _enum(error: Fault) -> Said:
    usable = _usable(error.schema)
    message = f"is {repr_yaml(error.instance)}" if not isinstance(error.instance, (dict, list)) else ""
    message = message or f"is {describe(error.instance)}"
    close = nearest(error.instance, usable) if isinstance(error.instance, str) else None
    listed = f"one of {', '.join(usable)} is wanted" if len(usable) > 1 else f"only {usable[0]} is possible"
    return f"{message}, {listed}", f"did you mean {close}?" if close else ""


def _forms(error: Fault) -> Said:
    value, schema = error.instance, error.schema
    message = f"is {describe(value)}, wanted: {wanted(schema)}"
    words = [word for branch in schema["anyOf"] for word in _fixed(branch)]
    close = nearest(value, words) if isinstance(value, str) else None
    if close:
        return message, f"did you mean {close}?"
    return message, _type_remedy(error, types(schema)) if isinstance(value, str) else ""


def _fixed(schema: Schema) -> list[str]:
    fixed = schema.get("enum", [schema.get("const")])
    return [value for value in fixed if isinstance(value, str)]


def _bound(says: str) -> Callable[[Fault], Said]:
    def bound(error: Fault) -> Said:
        limits = _range(error.schema)
        limit = f"{error.limit:g}" if error.limit < 10**6 else str(error.limit)
        return f"is {repr_yaml(error.instance)}, {says} {limit}", f"the range is {limits}"

    return bound


def _range(schema: Schema) -> str:
    names = (
        ("minimum", "from"), ("exclusiveMinimum", "above"),
        ("maximum", "up to"), ("exclusiveMaximum", "below"),
    )  # fmt: skip
    return " ".join(f"{word} {schema[name]}" for name, word in names if name in schema)


def _pattern(error: Fault) -> Said:
    if "x-ftctl-wanted" in error.schema:
        return f"is {repr_yaml(error.instance)}", f"wanted: {error.schema['x-ftctl-wanted']}"
    return f"is {repr_yaml(error.instance)}", f"it must match {error.limit}"


_EXPLAIN: Mapping[str, Callable[[Fault], Said]] = {
    "type": _type,
    "enum": _enum,
    "const": _forms,
    "anyOf": _forms,
    "pattern": _pattern,
    "minimum": _bound("less than"),
    "maximum": _bound("more than"),
    "exclusiveMinimum": _bound("not more than"),
    "exclusiveMaximum": _bound("not less than"),
    "not": lambda error: (f"is {describe(error.instance)}", f"wanted: {wanted(error.schema)}"),
    "minLength": lambda error: ("is empty text", example(_key(error), error.schema)),
    "minItems": lambda error: ("is an empty list", "name at least one"),
    "maxItems": lambda error: (f"has {len(error.instance)} items", f"at most {error.limit}"),
    "uniqueItems": lambda error: ("holds an item twice", "write each once"),
}
