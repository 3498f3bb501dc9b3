"""The arguments of an argparse parser as JSON Schema properties, for values that YAML writes."""

import argparse
import contextlib
import dataclasses
import re
from collections.abc import Callable
from typing import Any

from plain_values import default_of, help_text, plain  # type: ignore[import-not-found] # beside this file

_LISTS = ("_AppendAction", "_ExtendAction")
_SIZE = r"^-?[0-9]+(\.[0-9]+)?[A-Za-z]*$|^auto$"
_JSON = r"^\s*[\[{]"
_WANTED = {
    "size": "a whole number, also as 2k, 4M or auto",
    "object": "a mapping, or JSON as text",
    "array": "a list, or JSON as text",
}


def arguments_of(parser: argparse.ArgumentParser) -> dict[str, dict[str, Any]]:
    """One property per argument, by its first long name with underscores; `--help` is left out."""
    groups: dict[int, list[str]] = {}
    for group in parser._action_groups:
        for action in group._group_actions:
            groups.setdefault(id(action), []).append(group.title or "")
    shown = [action for action in parser._actions if not isinstance(action, argparse._HelpAction)]
    return {name_of(action): _property(parser, action, groups.get(id(action), [])) for action in shown}


def name_of(action: argparse.Action) -> str:
    long = [option for option in action.option_strings if option.startswith("--")]
    return long[0].lstrip("-").replace("-", "_") if long else action.dest


def _property(parser: argparse.ArgumentParser, action: argparse.Action, groups: list[str]) -> dict[str, Any]:
    primary = f"--{name_of(action).replace('_', '-')}"
    flags = [flag for flag in action.option_strings if flag not in (primary, f"--no-{primary[2:]}")]
    found = {
        **_schema(action),
        **_stated(action),
        "description": help_text(_expanded(parser, action)),
        "x-ftctl-source": ", ".join(groups),
    }
    if isinstance(action.metavar, (list, tuple)) and not action.choices:
        found["examples"] = [plain(value) for value in action.metavar]
    if not action.option_strings:
        found["x-ftctl-positional"] = True
    if flags:
        found["x-ftctl-flags"] = flags
    return found


def _stated(action: argparse.Action) -> dict[str, Any]:
    if action.default == argparse.SUPPRESS:
        return {}
    return {"x-ftctl-required": True} if action.required else default_of(action.default)


def _expanded(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    """The help with argparse's own fields filled in; `%` alone stands in many a help text by mistake."""
    if not action.help or action.help == argparse.SUPPRESS:
        return ""
    known = {**vars(action), "prog": parser.prog, "default": default_of(action.default).get("default", "")}
    filled = re.sub(r"%\((\w+)\)[sdr]", lambda field: str(known.get(field[1], "")), action.help)
    return filled.replace("%%", "%")


def _schema(action: argparse.Action) -> dict[str, Any]:
    if isinstance(action, (argparse._StoreTrueAction, argparse._StoreFalseAction)):
        return {"type": "boolean", "x-ftctl-switch": True}
    if isinstance(action, argparse.BooleanOptionalAction):
        return {"type": "boolean"}
    item = _with_default(_item(action), action.default)
    if action.nargs in ("+", "*") or isinstance(action.nargs, int) or type(action).__name__ in _LISTS:
        if "enum" in item:
            return {"anyOf": [item, {"type": "array", "items": item}]}
        return {"type": ["array", *_names(item)], "items": item}
    if action.nargs == "?" and action.const is True:
        return {"type": ["boolean", *_names(item)]}
    return item


def _names(item: dict[str, Any]) -> list[str]:
    named = item.get("type", "string")
    return [named] if isinstance(named, str) else list(named)


def _item(action: argparse.Action) -> dict[str, Any]:
    """What one value may be: the choices, or what the argument's own reader makes of a few texts."""
    if action.choices:
        return {"enum": [plain(choice) for choice in action.choices if choice is not None]}
    reader: Any = action.type
    if reader is None or reader is str:
        return {"type": "string"}
    read = {
        text: _read(reader, text) for text in ("7", "0.5", "word", "true", "2k", '{"a": "b"}', "{}", "[]")
    }
    if read["7"] == ["7"] and read["word"] == ["word"] and not _object(read):
        return {"type": "string"}
    if _object(read) and not _is(read["word"], str):
        kinds = _json_kinds(any_json=_is(read["[]"], list), default=action.default)
        return {"type": [*kinds, "string"], "pattern": _JSON, "x-ftctl-wanted": _WANTED[kinds[-1]]}
    if _is(read["2k"], int):
        return {"type": ["integer", "string"], "pattern": _SIZE, "x-ftctl-wanted": _WANTED["size"]}
    names = [name for name, has in (
        ("number", _is(read["0.5"], float)),
        ("integer", _is(read["7"], int) and not _is(read["0.5"], float)),
        ("boolean", _is(read["true"], bool)),
        ("object", _object(read)),
        ("string", _is(read["word"], str)),
    ) if has]  # fmt: skip
    return {"type": names[0] if len(names) == 1 else names or "string"}


def _json_kinds(*, any_json: bool, default: Any) -> tuple[str, ...]:
    """A reader of any JSON means what its default is; where it has none, a mapping or a list."""
    if isinstance(default, list):
        return ("array",)
    return ("object",) if isinstance(default, dict) or not any_json else ("object", "array")


def _with_default(item: dict[str, Any], default: Any) -> dict[str, Any]:
    """The item, taking the type of its own default too: `quant_policy` reads names and is 0 by default."""
    name = {int: "integer", float: "number", bool: "boolean"}.get(type(default))
    names = _names(item)
    if "enum" in item or name is None or name in names or (name == "integer" and "number" in names):
        return item
    return {**item, "type": [*names, name]}


def _read(reader: Callable[[str], Any], text: str) -> list[Any]:
    """What the reader makes of a text, in a list; an empty list where it refuses it."""
    with contextlib.suppress(Exception):  # readers refuse with whatever they like
        return [reader(text)]
    return []


def _is(read: list[Any], kind: type) -> bool:
    return bool(read) and type(read[0]) is kind


def _object(read: dict[str, list[Any]]) -> bool:
    return any(
        isinstance(value, dict) or (dataclasses.is_dataclass(value) and not isinstance(value, type))
        for text in ('{"a": "b"}', "{}")
        for value in read[text]
    )
