"""The books of rules, by engine: a book is read when it is asked for."""

from __future__ import annotations

from importlib import import_module

from ftctl.rules.book import Book
from ftctl.rules.rule import Rule

# The module below ftctl.rules that holds the engine's BOOK.
BOOKS = {
    "llamafactory": "llamafactory.table",
    "flagembedding": "flagembedding.table",
    "vllm": "vllm.table",
    "lmdeploy": "lmdeploy.table",
}


def book(engine: str) -> Book | None:
    """The book of an engine; None for one that has none."""
    if engine not in BOOKS:
        return None
    found: Book = import_module(f"ftctl.rules.{BOOKS[engine]}").BOOK
    return found


def books() -> tuple[Book, ...]:
    """Every book."""
    return tuple(found for engine in BOOKS if (found := book(engine)) is not None)


def all_rules() -> tuple[Rule, ...]:
    """Every rule of every engine."""
    return tuple(rule for one in books() for rule in one.rules)


def all_names() -> frozenset[str]:
    """The name of every rule: engines share one where they share the rule."""
    return frozenset(rule.name for rule in all_rules())
