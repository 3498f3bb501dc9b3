"""An argument of an engine, or a key of the job, explained in words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ftctl.engine_schema.arguments import FLAGS, canonical
from ftctl.engine_schema.build import DIFFERS, ENTRIES, SOURCE
from ftctl.engine_schema.meant import meant, short
from ftctl.engine_schema.table import DESCRIBED
from ftctl.errors import UsageError
from ftctl.job.explain import wanted
from ftctl.job.native import table
from ftctl.job.shape import Schema, levels, types
from ftctl.job.suggest import ALSO, nearest

_BOUNDS = {
    "minimum": "at least", "exclusiveMinimum": "more than",
    "maximum": "at most", "exclusiveMaximum": "less than",
}  # fmt: skip


def find_argument(engine: str, schema: Schema, job: Schema, key: str) -> tuple[str, Schema]:
    """An engine's argument by any of its spellings, short flags too; `job` is the job's schema.

    Raises UsageError, with the argument or the job's key that is meant, for none.
    """
    arguments: Mapping[str, Schema] = schema["properties"]
    name = (canonical(key, arguments, words=True) or short(key, arguments)).partition(".")[0]
    if name:
        return name, arguments[name]
    title, block = schema["title"], "deploy" if DESCRIBED[engine].kind == "serving" else "train"
    names = table({block: {"engine": engine}}, block)
    said = meant(key.lstrip("-"), block, names, title, arguments, job)
    raise UsageError(
        f"{key} is not an argument of {title}", said or f"{title} has {len(arguments)} arguments"
    )


def find_key(schema: Schema, key: str) -> tuple[str, Schema]:
    """A key of the job by its dotted name. Raises UsageError, with the key that is meant, for none."""
    known = job_keys(schema)
    key = re.sub(r"\[\d*\]", "", key).lstrip("-").replace("-", "_")
    if key in known:
        return key, known[key]
    ends = [name for name in known if name.endswith(f".{key}")]
    ends = ends or [name for name, child in known.items() if _also(name, child, key)]
    close = nearest(key, known)
    meant = " or ".join(ends) or close
    remedy = f"did you mean {meant}?" if meant else "`ftctl schema show job` lists them"
    raise UsageError(f"{key} is not a key of a job", remedy)


def _also(name: str, schema: Schema, key: str) -> bool:
    """Whether other tools call this key `key`, alone or below what it stands in."""
    above, _, last = key.rpartition(".")
    return last in schema.get(ALSO, ()) and (not above or name.rpartition(".")[0] == above)


def job_keys(schema: Schema) -> dict[str, Schema]:
    """Every key of the job by its dotted name; keys of list items as of `data.train`."""
    return {
        ".".join(part.removesuffix("[]") for part in (*level, key)): child
        for level, keys in reversed([*levels(schema)])
        for key, child in keys.items()
    }


def kind(argument: Schema) -> str:
    """What a key takes, in a few words: the types, or the choices where they are few."""
    if "enum" in argument and len(argument["enum"]) > 8:
        return "one of a list"
    if "enum" in argument or types(argument) or "x-ftctl-wanted" in argument:
        said = wanted(argument)
        return f"{said}, or null" if "null" in types(argument) else said
    return "anything"


def default(argument: Schema) -> str:
    """The default as YAML would show it: a name for an object; "needed" where there is none."""
    if "x-ftctl-default" in argument:
        return str(argument["x-ftctl-default"])
    if "default" not in argument:
        return "needed" if argument.get("x-ftctl-required") else ""
    return json.dumps(argument["default"], ensure_ascii=False)


def explained(name: str, argument: Schema) -> str:
    """Everything that the schema knows of one key, for a terminal."""
    lines = [name, *(f"  {label + ':':<10}{said}" for label, said in _facts(argument) if said)]
    text = str(argument.get("description", "")).strip()
    body = "\n".join(f"  {line}".rstrip() for line in text.splitlines())
    return "\n".join([*lines, *(["", body] if body else [])])


def _facts(argument: Schema) -> Iterator[tuple[str, str]]:
    yield "type", kind(argument)
    yield "default", default(argument)
    if len(argument.get("enum", ())) > 8:
        yield "choices", wanted(argument)
    yield "range", ", ".join(f"{said} {argument[key]}" for key, said in _BOUNDS.items() if key in argument)
    yield "examples", ", ".join(_written(one) for one in argument.get("examples", ()))
    yield "backend", ", ".join(argument.get("x-ftctl-backends", ()))
    yield "flags", ", ".join(argument.get(FLAGS, ()))
    yield "also", ", ".join(argument.get(ALSO, ()))
    yield "only in", ", ".join(argument.get(ENTRIES, ()))
    for program, other in argument.get(DIFFERS, {}).items():
        yield "but", f"{program} has {', '.join(f'{key} {_written(value)}' for key, value in other.items())}"
    yield "source", str(argument.get(SOURCE, ""))


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def first_sentence(argument: Schema) -> str:
    """The beginning of the description, for a list."""
    head = str(argument.get("description", "")).strip().partition("\n")[0]
    return head.split(". ")[0].rstrip(".")
