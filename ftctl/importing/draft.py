"""A job in the making: what was mapped and from what, what was left out and why, what is to be checked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ftctl.job.native import OWNED, table
from ftctl.job.node import lookup
from ftctl.job.shape import Schema, at

SECRET = re.compile(r"(?:^|[_-])(?:token|password|secret|api[_-]?keys?|auth[_-]?key)$", re.IGNORECASE)


@dataclass(frozen=True)
class Change:
    """An argument of the original that the job does not hold, or holds otherwise, and why."""

    argument: str
    value: Any
    why: str


@dataclass
class Draft:
    """A job being written. `origins` says for each dotted key where it came from.

    `schema` is the job's, without references. `title` says what the original is, with its article.
    """

    title: str
    schema: Schema
    job: dict[str, Any] = field(default_factory=dict)
    origins: dict[tuple[str, ...], str] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    checks: list[str] = field(default_factory=list)

    def takes(self, key: str, value: Any) -> bool:
        """Whether the job's schema takes `value` at the dotted `key`."""
        from jsonschema.validators import Draft202012Validator

        found = at(self.schema, {}, key.split("."))
        return found is not None and Draft202012Validator(found).is_valid(value)

    def put(self, key: str, value: Any, origin: str) -> bool:
        """Write a key where the schema takes the value; False where it does not."""
        if not self.takes(key, value):
            return False
        self.set(key, value, origin)
        return True

    def set(self, key: str, value: Any, origin: str = "") -> None:
        """Write a key, whatever the schema says: a later version may take it."""
        path = tuple(key.split("."))
        self._store(path, value)
        if origin:
            self.origins[path] = origin

    def native(self, block: str, argument: str, value: Any) -> None:
        """Keep an argument under the block's `native`; a secret or what ftctl owns is named instead."""
        owned = OWNED[table(self.job, block)]
        if SECRET.search(argument):
            self.secret(argument)
        elif argument in owned:
            key = owned[argument]
            self.drop(argument, value, f"ftctl sets it, from {key}" if key else "ftctl sets it itself")
        else:
            self._store((block, "native", argument), self._clean(argument, value))

    def secret(self, argument: str) -> None:
        """Name a secret without its value."""
        why = "a secret stays out of a job and of its run: set the engine's environment variable"
        self.drop(argument, "…", why)

    def drop(self, argument: str, value: Any, why: str) -> None:
        """Name an argument that the job does not hold as it was."""
        self.changes.append(Change(argument, public(value), why))

    def check(self, text: str) -> None:
        """Something that a person has to look at, said once."""
        if text not in self.checks:
            self.checks.append(text)

    def get(self, key: str) -> Any:
        """The value of a dotted key; None where it is not written."""
        return lookup(self.job, key.split("."))

    def _store(self, path: tuple[str, ...], value: Any) -> None:
        level = self.job
        for part in path[:-1]:
            level = level.setdefault(part, {})
        level[path[-1]] = value

    def _clean(self, argument: str, value: Any) -> Any:
        """A native value without the secrets that stand below it, each named."""
        for path in _secrets(value, argument):
            self.secret(path)
        return public(value)


def public(value: Any) -> Any:
    """A value without the secrets that stand below it."""
    if isinstance(value, Mapping):
        return {key: public(item) for key, item in value.items() if not SECRET.search(str(key))}
    return [public(item) for item in value] if isinstance(value, list) else value


def _secrets(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            below = f"{path}.{key}"
            yield from [below] if SECRET.search(str(key)) else _secrets(item, below)
    elif isinstance(value, list):
        for item in value:
            yield from _secrets(item, path)


def names(value: Any) -> list[str]:
    """A list of names from text with commas, with or without brackets, or from a list."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [str(item).strip() for item in value]
    return [part for part in (word.strip(" '\"") for word in str(value).strip("[] ").split(",")) if part]
