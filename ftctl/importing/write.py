"""The imported job as text: commented with what was mapped, what was not, and what to check."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from ftctl.importing.draft import Change, Draft
from ftctl.job.starter import plain

ORDER = ("name", "model", "data", "train", "resources", "deploy", "evaluate")
WIDTH = 96  # of a comment's text
_YAML_1_1 = frozenset(("yes", "no", "on", "off", "y", "n"))
_FLOW = 64  # a mapping or a list that is longer stands in lines of its own


class Reference(str):
    """Text that holds a reference to an environment variable and is written as it is."""

    __slots__ = ()


def text(draft: Draft, *, source: str, file: str, changes: tuple[Change, ...] = ()) -> str:
    """The job file. `source` and `file` are the original and the job as the user names them."""
    command = shlex.quote(file)
    verb = "train" if "train" in draft.job else "deploy"
    head = [
        f"# Imported by ftctl from {_line(source)}, {draft.title}.",
        f"# Run it with:    ftctl {verb} {_line(command)}",
        f"# Check it with:  ftctl validate {_line(command)}",
    ]
    body = [line for key in ORDER if key in draft.job for line in _key(draft, (key,), draft.job[key], 0)]
    checks = list(_section("To check:", draft.checks))
    said = [told(change) for change in (*draft.changes, *changes)]
    named = list(_section("Not carried over, or not as it was:", list(dict.fromkeys(said))))
    return "\n".join([*head, *checks, *named, "", *body]) + "\n"


def told(change: Change) -> str:
    """A change as one line."""
    shown = "" if change.value is None else f": {_cut(_flow(change.value))}"
    return _line(f"{change.argument}{shown} — {change.why}")


def _section(title: str, lines: list[str]) -> Iterator[str]:
    import textwrap

    if lines:
        yield "#"
        yield f"# {title}"
    for line in lines:
        folded = textwrap.wrap(_line(line), WIDTH, break_long_words=False, break_on_hyphens=False)
        yield from (f"# {'- ' if number == 0 else '  '}{part}" for number, part in enumerate(folded))


def _key(draft: Draft, path: tuple[str, ...], value: Any, indent: int) -> Iterator[str]:
    origin = draft.origins.get(path, "")
    origin = "" if origin == path[-1] else origin
    comment = f"  # {_line(origin)}" if origin else ""
    lead = f"{' ' * indent}{plain(path[-1])}:"
    short = _flow(value)
    if isinstance(value, Mapping) and value and (len(path) == 1 or _long(draft, path, value, short)):
        yield f"{lead}{comment}"
        for key, item in value.items():
            yield from _key(draft, (*path, key), item, indent + 2)
    elif isinstance(value, list) and value and path[0] == "data" and len(value) > 1:
        yield f"{lead}{comment}"
        for number, item in enumerate(value):
            named = draft.origins.get((*path, str(number)), "")
            yield f"{' ' * (indent + 2)}- {_flow(item)}" + (f"  # {_line(named)}" if named else "")
    else:
        named = draft.origins.get((*path, "0"), "") if isinstance(value, list) else ""
        yield f"{lead} {short}{comment}" + (f"  # {_line(named)}" if named and not comment else "")


def _long(draft: Draft, path: tuple[str, ...], value: Mapping[str, Any], short: str) -> bool:
    """Whether a mapping stands in lines of its own: it is long, or its keys have comments."""
    return len(short) > _FLOW or any((*path, key) in draft.origins for key in value)


def _flow(value: Any) -> str:
    """A value in one line of YAML."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_text(str(key))}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _float(value)
    return str(value) if isinstance(value, int) else _text(value)


def _float(value: float) -> str:
    if value != value:  # noqa: PLR0124 - not a number
        return ".nan"
    if value in (float("inf"), float("-inf")):
        return ".inf" if value > 0 else "-.inf"
    return repr(value)


def _text(value: str) -> str:
    escaped = value if isinstance(value, Reference) else value.replace("${", "$${")
    # Quoted for other tools, to which these are truth values.
    written = f'"{escaped}"' if escaped.lower() in _YAML_1_1 else plain(escaped)
    return "".join(char if char.isprintable() else _escaped(char) for char in written)


def _escaped(char: str) -> str:
    """A character that YAML does not let stand, as an escape in double quotes."""
    code = ord(char)
    if 0xD800 <= code <= 0xDFFF:
        return "\\uFFFD"  # half a surrogate pair: no file can hold it
    return f"\\U{code:08X}" if code > 0xFFFF else f"\\u{code:04X}"


def _cut(text: str) -> str:
    return text if len(text) <= 120 else f"{text[:119]}…"


def _line(text: str) -> str:
    """Text that stays in its line of a comment."""
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text)
