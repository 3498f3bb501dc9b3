"""Results: for people as text or a table, for programs as one versioned JSON envelope."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import RenderableType

ENVELOPE = 1


def envelope(command: str, data: Mapping[str, Any], *, exit_code: int = 0, **more: Any) -> str:
    """The JSON envelope (version 1): what ran, whether it went well, and its data."""
    head = {"ftctl": ENVELOPE, "command": command, "ok": exit_code == 0, "exit_code": exit_code}
    return json.dumps({**head, "data": data, **more}, ensure_ascii=False, default=str)


def envelope_of(command: str, key: str, records: Sequence[str]) -> str:
    """The envelope of a list under `key` whose members are JSON already, as thousands of them are kept."""
    empty = envelope(command, {key: []})
    head, tail = empty[: -len("]}}")], empty[-len("]}}") :]
    return head + ", ".join(records) + tail


def emit(
    command: str,
    data: Mapping[str, Any],
    *,
    as_json: bool,
    text: RenderableType,
    exit_code: int = 0,
    whole: bool = False,
) -> None:
    """Print a result: the envelope, or `text` (a string, or anything that rich draws).

    With `whole` no cell is folded on a narrow terminal either: what is copied from there, as an address is.
    """
    if as_json:
        sys.stdout.write(envelope(command, data, exit_code=exit_code) + "\n")
    elif isinstance(text, str):
        sys.stdout.write(text + "\n")
    else:
        from rich.console import Console

        # A pipe has no width: what is cut or folded for 80 columns could not be searched.
        Console(width=None if sys.stdout.isatty() and not whole else 1000).print(text)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> RenderableType:
    """A plain table: a bold head, no frame, cut nowhere when the output is not a terminal."""
    from rich.table import Table

    drawn = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        drawn.add_column(column, overflow="fold")
    for row in rows:
        drawn.add_row(*(str(cell) for cell in row))
    return drawn


def say(message: str) -> None:
    """A message for people, on standard error."""
    sys.stderr.write(message + "\n")
    sys.stderr.flush()
