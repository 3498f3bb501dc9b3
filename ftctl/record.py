"""Frozen dataclasses to plain JSON values and back, by their own annotations."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping, Set
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


def to_record(value: Any) -> Any:
    """A JSON value: dataclasses become objects, tuples and sets lists, paths strings."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_record(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_record(inner) for key, inner in value.items()}
    if isinstance(value, Set):
        return sorted(to_record(inner) for inner in value)
    if isinstance(value, tuple | list):
        return [to_record(inner) for inner in value]
    return str(value) if isinstance(value, Path) else value


def from_record(kind: type[T], value: Any) -> T:
    """The value of type `kind` that `to_record` wrote. Fields that are not recorded take their default.

    Raises TypeError or ValueError where the record is not of that type.
    """
    result: T = _read(kind, value)
    return result


def _read(kind: Any, value: Any) -> Any:  # noqa: PLR0911 - one line per kind of annotation
    if dataclasses.is_dataclass(kind):
        return _read_object(kind, value)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _read_union(arguments, value)
    if origin is tuple:
        if not isinstance(value, list):
            raise TypeError(f"a list is wanted, not {value!r}")
        kinds = arguments[:1] * len(value) if arguments[-1] is Ellipsis else arguments
        return tuple(_read(inner, item) for inner, item in zip(kinds, value, strict=True))
    if origin is frozenset:
        return frozenset(_read(arguments[0], item) for item in value)
    if origin is not None and issubclass(origin, Mapping):
        return {key: _read(arguments[1], inner) for key, inner in value.items()}
    if kind is Any:
        return value
    return _read_scalar(kind, value)


def _read_object(kind: Any, value: Any) -> Any:
    if not isinstance(value, dict):
        raise TypeError(f"an object is wanted for {kind.__name__}, not {value!r}")
    hints = _hints(kind)
    return kind(**{name: _read(hints[name], inner) for name, inner in value.items() if name in hints})


@cache
def _hints(kind: Any) -> dict[str, Any]:
    """The types of a class's fields; Python compiles every annotation anew each time that it is asked."""
    return get_type_hints(kind)


def _read_scalar(kind: Any, value: Any) -> Any:
    if kind is Path and isinstance(value, str):
        return Path(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is types.NoneType:
        kind = type(None)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise TypeError(f"{kind.__name__} is wanted, not {value!r}")
    return value


def _read_union(kinds: tuple[Any, ...], value: Any) -> Any:
    """The exact type first, so that 1 stays an integer in `float | int`."""
    if type(value) in kinds:
        return value
    for kind in kinds:
        try:
            return _read(kind, value)
        except (TypeError, ValueError):
            continue
    raise TypeError(f"{value!r} is none of {kinds}")
