"""The words of a command line as arguments: `--name value`, `--name=value`, `--name`, `--no-name`."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ftctl.job.scalars import scalar

_FLAG = re.compile(r"(--?[A-Za-z][A-Za-z0-9_.-]*)(?:=(.*))?", re.DOTALL)


@dataclass(frozen=True)
class Arguments:
    """Named arguments under their names with underscores, in order, and the words that have no name.

    A value is text, a list of texts, or a bool for a flag without one.
    """

    named: Mapping[str, Any] = field(default_factory=dict)
    loose: tuple[str, ...] = ()


def parse(
    words: Sequence[str],
    *,
    switches: Collection[str] = (),
    lists: Collection[str] = (),
    short: Mapping[str, str] | None = None,
    many: bool = False,
) -> Arguments:
    """The arguments in `words`. `switches` never take a value, `lists` take all that follow.

    With `many` every argument takes all that follow, as argparse's nargs="+" does.
    """
    named: dict[str, Any] = {}
    loose: list[str] = []
    index = 0
    while index < len(words):
        match = _FLAG.fullmatch(words[index])
        index += 1
        if match is None:
            loose.append(words[index - 1])
            continue
        head, dot, part = match[1].partition(".")  # vLLM's -cc.mode is --compilation-config.mode
        name = f"{(short or {}).get(head, head)}{dot}{part}".lstrip("-").replace("-", "_")
        given = [] if match[2] is None else [match[2]]
        if not given and name not in switches:
            limit = len(words) if many or name in lists else index + 1
            while index < min(limit, len(words)) and not _FLAG.fullmatch(words[index]):
                given.append(words[index])
                index += 1
        _add(named, name, given, repeat=name in lists)
    return Arguments(named, tuple(loose))


def _add(named: dict[str, Any], name: str, given: list[str], *, repeat: bool) -> None:
    if not given:
        off = name.startswith("no_")
        named[name.removeprefix("no_") if off else name] = not off
    elif repeat and isinstance(named.get(name), list):
        named[name] = [*named[name], *given]
    else:
        named[name] = given if repeat or len(given) > 1 else given[0]


def value_of(text: Any) -> Any:
    """What an argument's text means: JSON in braces, a number, a truth value, or the text itself."""
    if isinstance(text, list):
        return [value_of(item) for item in text]
    if not isinstance(text, str):
        return text
    if text[:1] in ("{", "["):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return scalar(text) if text else text


def nested(named: Mapping[str, Any]) -> dict[str, Any]:
    """`a.b: 1` as `a: {b: 1}`, the way vLLM takes the parts of a JSON argument."""
    made: dict[str, Any] = {}
    for name, text in named.items():
        level, parts = made, name.split(".")
        for part in parts[:-1]:
            inner = level.setdefault(part, {})
            level = inner if isinstance(inner, dict) else level
        level[parts[-1]] = value_of(text)
    return made
