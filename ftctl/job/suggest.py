"""Did you mean: the nearest name that exists, here or at another level."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from ftctl.job.node import Path
from ftctl.job.shape import Schema, levels

ALSO = "x-ftctl-also"


def nearest(word: str, names: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The name most like `word`, case and hyphens aside; None where none is near."""
    folded = {_fold(name): name for name in names}
    close = difflib.get_close_matches(_fold(word), folded, n=1, cutoff=cutoff)
    return folded[close[0]] if close else None


def key_remedy(schema: Schema, path: Path, key: str, keys: Mapping[str, Schema]) -> str:
    """What to write in place of the unknown `key` at the level `path`, whose keys are `keys`."""
    here = tuple(str(part) for part in path if not isinstance(part, int))
    if known := _known_as(key, keys):
        return f"did you mean {known}?"
    elsewhere = [
        (level, names)
        for level, names in levels(schema)
        if tuple(p.removesuffix("[]") for p in level) != here
    ]
    if exact := [_level(level) for level, names in elsewhere if key in names]:
        return f"{key} belongs {_either(exact)}"
    below = [(level, names) for level, names in elsewhere if level[: len(here)] == here and here]
    if inner := next((".".join((*level, name)) for level, names in below if (name := _known_as(key, names))), None):
        return f"did you mean {inner}?"
    if close := nearest(key, keys, 0.7):
        return f"did you mean {close}?"
    for known, level in [
        (_known_as(key, names) or nearest(key, names, 0.85), level) for level, names in elsewhere
    ]:
        if known:
            return f"did you mean {'.'.join((*level, known))}?"
    if here[:1] in (("train",), ("deploy",)) and len(here) == 1:
        return f"an argument of the engine goes under {here[0]}.native"
    return f"the keys here are {', '.join(keys)}"


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


def _either(places: list[str]) -> str:
    return " or ".join(dict.fromkeys(places))
