"""A `native:` block against the schema of the engine that gets it: every problem, each in its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from ftctl.engine_schema.arguments import canonical, taken_by
from ftctl.engine_schema.meant import meant
from ftctl.engine_schema.table import DESCRIBED, engine_of
from ftctl.errors import Problem
from ftctl.job.explain import Fault, describe, explain
from ftctl.job.native import conflicts, table
from ftctl.job.node import Node, Path, lookup, place_of, problem, value_place, values
from ftctl.job.shape import Schema

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

SWITCH = "x-ftctl-switch"
MANY = 12  # choices that a message still lists
MAX_SUGGESTIONS = 20  # to look for the nearest of 350 names takes a millisecond

SchemaOf = Callable[[str], Schema | None]


def native_problems(root: Node, schema_of: SchemaOf, job_schema: Schema) -> Iterator[Problem]:
    """What the engines would refuse in `train.native` and `deploy.native` of a document.

    `schema_of` gives an engine's schema by its name, and is asked only for a block that is there. What
    `job.native` says of an argument is not said again.
    """
    document = values(root)
    if not isinstance(document, dict):
        return
    told = {path for path, _, _ in conflicts(document)}
    for block in ("train", "deploy"):
        native = lookup(document, (block, "native"))
        if not isinstance(native, dict) or not native:
            continue
        engine, program = engine_of(document, block)
        schema = schema_of(engine)
        if schema is not None:
            words, arguments = DESCRIBED[engine].kind == "serving", taken_by(schema, program)
            names, title = table(document, block), str(schema["title"])
            held = _Block(block, engine, names, title, words, arguments, job_schema)
            yield from _problems(root, held, native, told)


@dataclass(frozen=True)
class _Block:
    """What the keys of one native block are held against; `words`: they become words of a command line.

    `names` is the table of `job.native` for the engine.
    """

    name: str
    engine: str
    names: str
    title: str
    words: bool
    arguments: Mapping[str, Schema]
    job: Schema


def _problems(
    root: Node, block: _Block, native: Mapping[str, Any], told: set[tuple[str, ...]]
) -> Iterator[Problem]:
    unknown = 0
    for key, value in native.items():
        path = (block.name, "native", key)
        if path in told:
            continue
        name = canonical(key, block.arguments, words=block.words)
        if name is None:
            unknown += 1
            message = f"{key} is not an argument of {block.title}"
            yield problem(place_of(root, path), path, message, _remedy(block, key, unknown))
        elif "." not in name and not (value is None and block.words):  # null takes a derived word away
            yield from _wrong(root, path, block, name, value)


def _remedy(block: _Block, key: str, unknown: int) -> str:
    if unknown > MAX_SUGGESTIONS:
        return ""
    said = meant(key, block.name, block.names, block.title, block.arguments, block.job)
    return said or f"`ftctl schema show {block.engine}` lists its arguments"


def _wrong(root: Node, path: Path, block: _Block, name: str, value: Any) -> Iterator[Problem]:
    from jsonschema.validators import Draft202012Validator

    argument = block.arguments[name]
    for error in Draft202012Validator(argument).iter_errors(value):
        inner = (*path, *error.absolute_path)
        message, remedy = explain(_fault(error, inner))
        if error.validator == "enum" and len(error.validator_value) > MANY:
            message = f"is {describe(value)}, none of its {len(error.validator_value)} choices"
            remedy = remedy or f"`ftctl schema show {block.engine} {name}` lists them"
        yield problem(value_place(root, inner), inner, message, remedy)
    if argument.get(SWITCH) and value is False:
        message = "is false, and the engine has no word for that"
        yield problem(value_place(root, path), path, message, "remove it: it is off unless it is given")


def _fault(error: ValidationError, path: Path) -> Fault:
    schema = cast(Schema, error.schema)
    return Fault(path, str(error.validator), error.validator_value, error.instance, schema, error.message)
