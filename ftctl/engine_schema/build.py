"""An engine's answer about its arguments as one JSON Schema (draft 2020-12), and its text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ftctl.engine_schema.table import Described
from ftctl.job.shape import Schema

ENTRIES = "x-ftctl-entries"  # of a schema: its programs; of an argument: those of them that take it
DIFFERS = "x-ftctl-differs"  # what a program says of an argument otherwise than the first that takes it
SOURCE = "x-ftctl-source"  # the class or the group of options that holds it
VERSIONS = "x-ftctl-versions"
VARIANT = "x-ftctl-variant"

Arguments = Mapping[str, Mapping[str, Any]]


def built(engine: Described, variant: str, answer: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of an engine. `answer` holds `versions`, and in `entries` the arguments of each program."""
    entries: Mapping[str, Arguments] = answer["entries"]
    names = sorted({name for arguments in entries.values() for name in arguments})
    version = next(iter(answer["versions"].values())).partition("+")[0]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:ftctl:{engine.kind}:{engine.name}",
        "title": f"{engine.title} {version}",
        "description": f"Made by `ftctl schema sync {engine.name}` from the engine's own definitions.",
        VERSIONS: {name: said.partition("+")[0] for name, said in answer["versions"].items()},
        VARIANT: variant,
        ENTRIES: {name: len(arguments) for name, arguments in entries.items()},
        "type": "object",
        "additionalProperties": False,
        "properties": {name: _merged(name, entries) for name in names},
    }


def _merged(name: str, entries: Mapping[str, Arguments]) -> dict[str, Any]:
    """One argument as its programs define it, what they say differently told apart."""
    said = {entry: arguments[name] for entry, arguments in entries.items() if name in arguments}
    first = next(iter(said.values()))
    differs = {entry: changed for entry, other in said.items() if (changed := _changed(first, other))}
    return {
        **first,
        **({ENTRIES: list(said)} if len(said) < len(entries) else {}),
        **({DIFFERS: differs} if differs else {}),
    }


def _changed(first: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """What `other` says otherwise; the class that an argument stands in is no difference to a user."""
    keys = (key for key in {**first, **other} if key != SOURCE)
    return {key: other.get(key) for key in keys if first.get(key, ...) != other.get(key, ...)}


def text(schema: Schema) -> str:
    """The schema as JSON, one argument a line, so that a new version of an engine is a diff to read."""
    head = [f"{_json(key)}: {_json(value)},\n" for key, value in schema.items() if key != "properties"]
    properties = (f"{_json(key)}: {_json(value)}" for key, value in schema["properties"].items())
    return "{\n" + "".join(head) + '"properties": {\n' + ",\n".join(properties) + "\n}\n}\n"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
