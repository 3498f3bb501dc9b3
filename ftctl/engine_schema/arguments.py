"""An engine's arguments, looked up: by any of their spellings, and as one of its programs defines them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ftctl.engine_schema.build import DIFFERS, ENTRIES
from ftctl.job.shape import Schema, types, whole

FLAGS = "x-ftctl-flags"


def taken_by(schema: Schema, program: str) -> dict[str, Schema]:
    """The arguments that any of the programs takes whose name begins with `program` ("" for all)."""
    return {
        name: argument
        for name, argument in schema["properties"].items()
        if any(entry.startswith(program) for entry in argument.get(ENTRIES, schema[ENTRIES]))
    }


def canonical(key: str, arguments: Mapping[str, Schema], *, words: bool) -> str | None:
    """The argument that `key` spells; None where it spells none.

    With `words` the key becomes a word on a command line: hyphens do as well as underscores, a second
    long name does, and `compilation_config.mode` reaches into a mapping (vLLM).
    """
    if key in arguments or not words:
        return key if key in arguments else None
    name = key.removeprefix("--").replace("-", "_")
    head, dot, _ = name.partition(".")
    if name in arguments or (dot and head in arguments and "object" in types(arguments[head])):
        return name
    return next(
        (found for found in arguments if f"--{name.replace('_', '-')}" in _long(arguments[found])), None
    )


def _long(argument: Schema) -> Iterator[str]:
    yield from (flag.replace("_", "-") for flag in argument.get(FLAGS, ()) if flag.startswith("--"))


def defined_by(argument: Schema, program: str) -> Schema:
    """The argument as `program` defines it, where programs differ."""
    other: Mapping[str, Any] = argument.get(DIFFERS, {}).get(program, {})
    changed = {key: value for key, value in {**argument, **other}.items() if key != DIFFERS}
    return {key: value for key, value in changed.items() if not (key in other and other[key] is None)}


def with_whole_numbers(native: Mapping[str, Any], schema: Schema, *, words: bool) -> dict[str, Any]:
    """A native block with `1e3` as 1000 where only whole numbers are taken."""
    arguments: Mapping[str, Schema] = schema["properties"]
    named = {key: canonical(key, arguments, words=words) for key in native}
    return {key: whole(value, arguments.get(named[key] or "")) for key, value in native.items()}
