"""The command tree as values and as docs/commands.md: `python -m tests.docs.commands` prints that page."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from typer.main import get_command

from ftctl.cli.app import build

HEAD = """\
# The commands

<!-- Written by `make docs` from --help: change a command's docstring, not this page. -->

Every command has `--help`. Results go to standard output, as text for people or with `--json` as one
versioned envelope for programs; messages go to standard error. `NO_COLOR` is respected.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | the work failed |
| 2 | a bad job file, option or argument |
| 3 | a gate was not met |
| 4 | an engine, a GPU, a port or a package is missing |
| 70 | a bug in ftctl; the message names the file with its traceback |
| 130 | interrupted |
"""


@dataclass(frozen=True)
class Command:
    """One command: `words` as typed (`("ftctl", "engines", "list")`), and what typer knows of it."""

    words: tuple[str, ...]
    known: Any

    @property
    def is_group(self) -> bool:
        return hasattr(self.known, "commands")

    @property
    def paragraphs(self) -> list[str]:
        """The help's paragraphs without markup, the examples left out."""
        text = self._plain().split("\nExamples\n")[0]
        return [paragraph.strip() for paragraph in text.split("\n\n") if paragraph.strip()]

    @property
    def examples(self) -> list[str]:
        """The lines of the help's examples."""
        _, _, after = self._plain().partition("\nExamples\n")
        return [line.strip() for line in after.splitlines() if line.strip()]

    def _plain(self) -> str:
        return re.sub(r"\[/?[a-z ]*\]", "", self.known.help or "").replace("\x08", "").replace("\\[", "[")


def tree() -> list[Command]:
    """Every command and group that is not hidden, in the order of the help."""

    def walk(words: tuple[str, ...], known: Any) -> Iterator[Command]:
        yield Command(words, known)
        for name, child in sorted(getattr(known, "commands", {}).items()):
            if not child.hidden:
                yield from walk((*words, name), child)

    return list(walk(("ftctl",), get_command(build())))


def _parameters(command: Command) -> list[str]:
    rows = []
    for known in command.known.params:
        if known.name == "help" or getattr(known, "hidden", False):
            continue
        metavar = known.metavar or ""
        if known.param_type_name == "argument":
            shown = f"`{metavar or known.name.upper()}`".replace("|", "\\|")
        else:
            flags = ", ".join((*known.opts, *known.secondary_opts))
            value = "" if known.is_flag else f" {metavar or 'VALUE'}"
            shown = f"`{flags}{value}`".replace("|", "\\|")
        needed = "required; " if known.required else ""
        rows.append(f"| {shown} | {needed}{getattr(known, 'help', None) or ''} |".replace("  ", " "))
    return ["|  |  |", "|---|---|", *rows, ""] if rows else []


def page() -> str:
    """The whole of docs/commands.md."""
    lines = [HEAD]
    for command in tree()[1:]:
        lines += [f"{'#' * len(command.words)} `{' '.join(command.words)}`", ""]
        for paragraph in command.paragraphs:
            lines += [paragraph, ""]
        lines += _parameters(command)
        if command.examples:
            lines += ["```", *command.examples, "```", ""]
    return "\n".join(lines).rstrip("\n") + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
