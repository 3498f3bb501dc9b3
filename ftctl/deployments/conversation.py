"""A conversation with a deployment: questions from a terminal, answers as they stream in."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TextIO

from ftctl.errors import FtctlError

Messages = list[dict[str, str]]
Ask = Callable[[Messages], Iterator[str]]


def reply(history: Messages, message: str, ask: Ask, out: TextIO) -> None:
    """Answer one message on `out` and keep both in `history`; a failed answer leaves no trace in it.

    Raises FtctlError where the server cannot be asked.
    """
    history.append({"role": "user", "content": message})
    pieces = []
    try:
        for piece in ask(history):
            pieces.append(piece)
            out.write(piece)
            out.flush()
    except (FtctlError, KeyboardInterrupt):
        history.pop()
        raise
    out.write("\n")
    out.flush()
    history.append({"role": "assistant", "content": "".join(pieces)})


def converse(history: Messages, ask: Ask, out: TextIO) -> None:
    """Ask for messages until Ctrl-D; Ctrl-C breaks off an answer, not the conversation."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401 - arrow keys and history in input()

    out.write("Ctrl-D ends the conversation, Ctrl-C an answer.\n")
    while True:
        try:
            message = input("> ").strip()
        except EOFError:
            out.write("\n")
            return
        except KeyboardInterrupt:
            out.write("\n")
            continue
        if not message:
            continue
        try:
            reply(history, message, ask, out)
        except KeyboardInterrupt:
            out.write(" …\n")
        except FtctlError as error:
            out.write(f"\n{error}\n")
