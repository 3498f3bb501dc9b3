"""The command blocks of the pages: fenced `console` blocks with `$ command` lines and what they print.

The fence's words say how a block runs: `engine` (it needs real engines), `exit=2` (the exit code of its
commands). A line `...` stands for any lines, `...` inside a line for any text. The blocks of a page run
one after another in one folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Command:
    """One command with the output that the page shows. `line` is where it stands on the page."""

    line: int
    text: str
    shown: tuple[str, ...]
    exit_code: int
    engine: bool


@dataclass(frozen=True)
class Block:
    """One fenced block: its words after the language, and its lines."""

    line: int
    language: str
    words: tuple[str, ...]
    lines: tuple[str, ...]


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a Markdown page."""
    fence: tuple[int, str] | None = None
    inside: list[str] = []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if not line.startswith("```"):
            inside.append(line)
        elif fence is None:
            fence, inside = (number, line[3:].strip()), []
        else:
            language, *words = fence[1].split() or [""]
            yield Block(fence[0], language, tuple(words), tuple(inside))
            fence = None


def commands(page: Path) -> list[Command]:
    """The commands of a page's `console` blocks, in order."""
    return [command for block in blocks(page) if block.language == "console" for command in _split(block)]


def _split(block: Block) -> Iterator[Command]:
    code = next((int(word[5:]) for word in block.words if word.startswith("exit=")), 0)
    starts = [index for index, line in enumerate(block.lines) if line.startswith("$ ")]
    for start, end in zip(starts, [*starts[1:], len(block.lines)], strict=True):
        shown = tuple(line for line in block.lines[start + 1 : end] if line.strip())
        text = block.lines[start][2:]
        yield Command(block.line + start + 1, text, shown, code, "engine" in block.words)


def missing(shown: tuple[str, ...], output: str) -> str | None:
    """The first shown line that the output does not have, in order; None where all are there."""
    printed = iter(output.splitlines())
    for line in shown:
        if line.strip() == "...":
            continue
        wanted = re.compile(".*".join(re.escape(part) for part in line.strip().split("...")))
        if not any(wanted.fullmatch(candidate.strip()) for candidate in printed):
            return line
    return None
