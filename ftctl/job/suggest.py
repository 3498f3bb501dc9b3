"""Did you mean: the nearest name that exists, here or at another level."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping

from ftctl.job.node import Path
from ftctl.job.shape import Schema, levels

ALSO = "x-ftctl-also"
Level = tuple[tuple[str, ...], Mapping[str, Schema]]


def nearest(word: str, names: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The name most like `word`, case and hyphens aside; None where none is near."""
    folded = {_fold(name): name for name in names}
    close = difflib.get_close_matches(_fold(word), folded, n=1, cutoff=cutoff)
    return folded[close[0]] if close else None


def key_remedy(schema: Schema, path: Path, key: str, keys: Mapping[str, Schema]) -> str:
    """What to write in place of the unknown `key` at the level `path`, whose keys are `keys`."""
    here = tuple(str(part) for part in path if not isinstance(part, int))
    elsewhere = [
        (level, names)
        for level, names in levels(schema)
        if tuple(p.removesuffix("[]") for p in level) != here
    ]
    if meant := _meant(here, key, keys, elsewhere):
        return meant
    if here in (("train",), ("deploy",)):
        return f"an argument of the engine goes under {here[0]}.native"
    return f"the keys here are {', '.join(keys)}"


def _meant(here: tuple[str, ...], key: str, keys: Mapping[str, Schema], elsewhere: list[Level]) -> str:
    """The key that is meant: another tool's name for one, one of another level, or one that looks alike."""
    known = _known_as(key, keys)
    exact = [_level(level) for level, names in elsewhere if key in names]
    if not known and exact:
        return f"{key} belongs {' or '.join(dict.fromkeys(exact))}"
    below = [(level, names) for level, names in elsewhere if here and level[: len(here)] == here]
    found = (
        known
        or _first(below, lambda names: _known_as(key, names))
        or nearest(key, keys, 0.7)
        or _first(elsewhere, lambda names: _known_as(key, names) or nearest(key, names, 0.85))
    )
    return f"did you mean {found}?" if found else ""


def _first(places: list[Level], name: Callable[[Mapping[str, Schema]], str | None]) -> str | None:
    """The first dotted key that `name` finds in a level."""
    found = (".".join((*level, known)) for level, names in places if (known := name(names)))
    return next(found, None)


def _known_as(key: str, keys: Mapping[str, Schema]) -> str | None:
    """The key that other tools call `key`, or that differs from it by case and hyphens alone."""
    for name, schema in keys.items():
        if _fold(key) == _fold(name) or _fold(key) in map(_fold, schema.get(ALSO, ())):
            return name
    return None


def _fold(name: str) -> str:
    return name.lower().replace("-", "_").strip()


def _level(level: tuple[str, ...]) -> str:
    return f"in {'.'.join(level)}" if level else "at the top level"
