"""What a rule between keys sees of a document, and what a rule is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ftctl.job.node import Path, lookup

Said = tuple[str, str]
Broken = Iterator[tuple[Path, Said]]


@dataclass(frozen=True)
class View:
    """A document without the values that are known to be wrong: no rule speaks about those again.

    `asked` gathers the dotted keys that a rule has looked at, blocks aside.
    """

    document: Mapping[str, Any]
    bad: tuple[Path, ...]
    asked: set[str] = field(default_factory=set)

    def get(self, key: str) -> Any:
        """The value of a dotted key; None where it is not set or is wrong."""
        self.asked.add(key)
        path = tuple(key.split("."))
        return None if self.wrong(*path) else lookup(self.document, path)

    def wrong(self, *path: str | int) -> bool:
        """Whether the key at `path`, or one above it, is known to be wrong."""
        return any(path[: len(wrong)] == wrong for wrong in self.bad)

    def has(self, key: str) -> bool:
        """Whether the key is written at all, right or wrong."""
        if "." in key:
            self.asked.add(key)
        return lookup(self.document, key.split(".")) is not None


@dataclass(frozen=True)
class Rule:
    """A named rule: what it asks for, and the function that finds where it is broken."""

    name: str
    says: str
    find: Callable[[View], Broken]
