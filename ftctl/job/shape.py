"""The job's schema, asked: which keys a level has, which types a key takes, which form a value is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ftctl.job.scalars import scalar

Schema = Mapping[str, Any]

TYPES: Mapping[str, tuple[type, ...]] = {
    "null": (type(None),), "boolean": (bool,), "integer": (int,), "number": (int, float),
    "string": (str,), "array": (list,), "object": (dict,),
}  # fmt: skip


# What stands under these holds no reference, unless it is a key of that name and so a mapping.
PLAIN = frozenset({"title", "description", "examples", "default", "type", "enum", "const", "required"})


def inline(schema: Schema) -> dict[str, Any]:
    """The schema with every `$ref` to its own `$defs` replaced by what it stands for.

    Forms that begin with `true` only tell an editor what it may offer (the engines' arguments, in files
    beside this one) and are left out.
    """
    definitions = {f"#/$defs/{name}": value for name, value in schema.get("$defs", {}).items()}

    def expand(node: Any) -> Any:
        if isinstance(node, dict):
            if "$ref" in node:
                return expand(definitions[node["$ref"]])
            left_out = {"$defs", *(["anyOf"] if True in node.get("anyOf", ()) else [])}
            return {
                key: value if key in PLAIN and not isinstance(value, dict) else expand(value)
                for key, value in node.items()
                if key not in left_out
            }
        return [expand(value) for value in node] if isinstance(node, list) else node

    inlined: dict[str, Any] = expand(schema)
    return inlined


def type_name(value: Any) -> str:
    """The JSON Schema type of a plain value; a number without a fraction is an integer."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, float):
        return "integer" if value.is_integer() else "number"
    return next(name for name, kinds in TYPES.items() if isinstance(value, kinds))


def types(schema: Schema) -> frozenset[str]:
    """The JSON types that a key takes, over all its forms; empty where everything goes."""
    if "anyOf" in schema:
        return frozenset().union(*(types(form) for form in schema["anyOf"]))
    if "type" in schema:
        named = schema["type"]
        return frozenset([named] if isinstance(named, str) else named)
    fixed = schema.get("enum", [schema["const"]] if "const" in schema else [])
    return frozenset(type_name(value) for value in fixed)


def takes(schema: Schema, value: Any) -> bool:
    """Whether the type of `value` is one that the schema takes (its range is another matter)."""
    accepted, name = types(schema), type_name(value)
    return not accepted or name in accepted or (name == "integer" and "number" in accepted)


def form(schema: Schema, value: Any) -> Schema | None:
    """The form (a branch of anyOf) that `value` is of by its type; None where none or several fit."""
    if "anyOf" not in schema:
        return schema
    numeric = type_name(value) in ("integer", "number")
    fitting = [
        branch
        for branch in schema["anyOf"]
        if (types(branch) & {"integer", "number"} if numeric else takes(branch, value))
    ]
    return fitting[0] if len(fitting) == 1 else None


def step(schema: Schema | None, part: str | int, value: Any) -> Schema | None:
    """The schema of one key or item below `value`; None where the schema knows none."""
    if schema is None:
        return None
    chosen = form(schema, value) if isinstance(value, (dict, list)) else None
    # A short form has no keys of its own: what is asked for is a key of the long one.
    forms = (chosen,) if chosen is not None else schema.get("anyOf", (schema,))
    below = (
        one.get("items") if isinstance(part, int) else one.get("properties", {}).get(part, _any(one))
        for one in forms
    )
    return next((found for found in below if found is not None), None)


def _any(schema: Schema) -> Schema | None:
    """What every key takes of a mapping whose keys are the user's own names."""
    others = schema.get("additionalProperties")
    return others if isinstance(others, dict) else None


def at(schema: Schema, document: Any, path: Sequence[str | int]) -> Schema | None:
    """The schema of the key at `path` of `document`, following the forms that its values are of."""
    found: Schema | None = schema
    for part in path:
        found = step(found, part, document)
        inside = isinstance(document, list) and isinstance(part, int) and part < len(document)
        document = document[part] if inside or (isinstance(document, dict) and part in document) else {}
    return found


def levels(
    schema: Schema, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Mapping[str, Schema]]]:
    """Every level that has keys, with its path and its keys, the outermost first.

    A list's items carry the list's path with `[]` at its end.
    """
    properties: Mapping[str, Schema] = schema.get("properties", {})
    if properties:
        yield path, properties
    for key, child in properties.items():
        yield from levels(child, (*path, key))
    for branch in schema.get("anyOf", ()):
        yield from levels(branch, path)
    if isinstance(schema.get("items"), Mapping) and path:
        yield from levels(schema["items"], (*path[:-1], f"{path[-1]}[]"))


def typed(text: str, schema: Schema | None, *, plain: bool = True) -> Any:
    """What a scalar's text means for a key: text where only text is taken, else by YAML's core rules."""
    if schema is None or not plain:
        return text if not plain else scalar(text)
    if types(schema) - {"null"} == {"string"}:
        return text
    value = scalar(text)
    return value if takes(schema, value) or not takes(schema, text) else text


def whole(value: Any, schema: Schema | None) -> Any:
    """The document with `64.0` as 64 where only whole numbers are taken: JSON Schema calls both integers."""
    if isinstance(value, dict):
        return {key: whole(item, step(schema, key, value)) for key, item in value.items()}
    if isinstance(value, list):
        return [whole(item, step(schema, index, value)) for index, item in enumerate(value)]
    if isinstance(value, float) and schema is not None and value.is_integer():
        named = types(schema)
        return int(value) if "integer" in named and "number" not in named else value
    return value
