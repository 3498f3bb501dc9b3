"""The fields of dataclasses that transformers' HfArgumentParser takes, as JSON Schema properties."""

import collections.abc
import contextlib
import dataclasses
import enum
import inspect
import types
import typing
from typing import Any

from plain_values import default_of, help_text, plain  # type: ignore[import-not-found] # beside this file

_NAMES = {type(None): "null", bool: "boolean", int: "integer", float: "number", str: "string"}
_LISTS = (list, tuple, set, collections.abc.Sequence)


def arguments_of(classes: list[type]) -> dict[str, dict[str, Any]]:
    """One property per field that can be set, by name; `classes` are those that one parser is made of."""
    found: dict[str, dict[str, Any]] = {}
    for cls in classes:
        hints = typing.get_type_hints(cls)
        for field in dataclasses.fields(cls):
            if field.init:
                found[field.name] = _property(cls, field, hints[field.name])
    return found


def _property(cls: type, field: Any, hint: Any) -> dict[str, Any]:
    required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    default = None if required else _default(field)
    forms = _forms(hint) + ([{"type": "null"}] if default is None and not required else [])
    if field.metadata.get("nargs"):
        forms.append({"type": "array", "items": {"type": "string"}})
    if field.metadata.get("choices"):
        forms = [
            {"enum": list(field.metadata["choices"])},
            *(one for one in forms if one == {"type": "null"}),
        ]
    if parts := split_into(cls, field.name):
        forms.append({"type": "array", "items": {"type": parts}})
    stated: dict[str, Any] = {"x-ftctl-required": True} if required else default_of(default)
    source = next(base for base in cls.__mro__ if field.name in inspect.get_annotations(base))
    return {
        **one_of(forms),
        **stated,
        "description": help_text(field.metadata.get("help")),
        "x-ftctl-source": f"{source.__module__}.{source.__qualname__}",
    }


def _default(field: Any) -> Any:
    return field.default if field.default is not dataclasses.MISSING else field.default_factory()


def _forms(hint: Any) -> list[dict[str, Any]]:
    """What a type hint lets through, one schema for each of its alternatives; {} where that is anything."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return [form for one in inner for form in _forms(one)]
    if origin is typing.Literal:
        return [{"enum": [plain(value) for value in inner]}]
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return [{"enum": [plain(member) for member in hint]}]
    return [_simple(origin or hint, inner)]


def _simple(kind: Any, inner: tuple[Any, ...]) -> dict[str, Any]:
    """One plain type, a list of it, or a mapping; {} for a class that no file can hold."""
    if kind in _NAMES:
        return {"type": _NAMES[kind]}
    if kind in _LISTS:
        items = one_of(_forms(inner[0])) if inner else {}
        return {"type": "array", **({"items": items} if items else {})}
    mapping = isinstance(kind, type) and issubclass(kind, collections.abc.Mapping)
    return {"type": "object"} if mapping else {}


def one_of(forms: list[dict[str, Any]]) -> dict[str, Any]:
    """One schema for several alternatives, as plain as it can be.

    An enumeration beside `str` restricts the text: both engines turn the text into a member of it.
    """
    if {} in forms:
        return {}
    choices = [value for form in forms for value in form.get("enum", ())]
    if choices:
        forms = [form for form in forms if form not in ({"type": "string"},)]
    simple = dict.fromkeys(form["type"] for form in forms if form.keys() == {"type"})
    if choices:
        fixed: list[Any] = [None] if "null" in simple else []
        fixed += [True, False] if "boolean" in simple else []
        chosen: dict[str, Any] = {"enum": [*dict.fromkeys(choices), *fixed]}
        others = [form for form in forms if form.get("type") not in ("null", "boolean", None)]
        return {"anyOf": [chosen, *others]} if others else chosen
    merged: dict[str, Any] = {"type": list(dict.fromkeys(form["type"] for form in forms))}
    if len(merged["type"]) == 1:
        merged["type"] = merged["type"][0]
    items = [form["items"] for form in forms if "items" in form]
    return {**merged, "items": items[-1]} if items else merged


def split_into(cls: type, name: str) -> str:
    """ "string" or "number" where the class cuts a text at its commas into a list of these; else ""."""
    made: Any = object.__new__(cls)
    for field in dataclasses.fields(cls):
        if field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING:
            setattr(made, field.name, _default(field))
    setattr(made, name, "1,2")
    # What is asked is only whether the value was cut before anything else was found wrong with it.
    with contextlib.suppress(Exception):
        made.__post_init__()
    return {"['1', '2']": "string", "[1.0, 2.0]": "number"}.get(repr(getattr(made, name, None)), "")
