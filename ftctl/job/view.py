"""What a rule between keys sees of a document, and what a rule is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ftctl.job.node import Path, lookup

Said = tuple[str, str]
Broken = Iterator[tuple[Path, Said]]


@dataclass(frozen=True)
class View:
    """A document without the values that are known to be wrong: no rule speaks about those again."""

    document: Mapping[str, Any]
    bad: tuple[Path, ...]

    def get(self, key: str) -> Any:
        """The value of a dotted key; None where it is not set or is wrong."""
        path = tuple(key.split("."))
        if any(path[: len(wrong)] == wrong for wrong in self.bad):
            return None
        return lookup(self.document, path)

    def has(self, key: str) -> bool:
        """Whether the key is written at all, right or wrong."""
        return lookup(self.document, key.split(".")) is not None


@dataclass(frozen=True)
class Rule:
    """A named rule: what it asks for, and the function that finds where it is broken."""

    name: str
    says: str
    find: Callable[[View], Broken]
