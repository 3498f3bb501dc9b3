"""A shell script's commands as words, read and never run: assignments, quotes, continuations, variables."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)
_ARRAY = re.compile(r"\s*(?:(?:declare|local|readonly|typeset)\s+(?:-\w+\s+)*)?(\w+)(\+?)=\((.*)", re.DOTALL)
_VARIABLE = re.compile(
    r"'[^']*'|(?P<quote>\"?)\$\{(?P<array>\w+)\[[@*]\]\}(?P=quote)"
    r"|\$\{(?P<braced>\w+)(?::?-(?P<default>[^{}]*))?\}|\$(?P<plain>\w+)"
)
# What a shell would run to know a word: it stays one word, its spaces and marks put aside meanwhile.
_RUNS = re.compile(r"\$\([^()]*\)|`[^`]*`")
_MARKS = " \t;|&'\"\\"
_ASIDE = str.maketrans({mark: chr(0xE000 + number) for number, mark in enumerate(_MARKS)})
_BACK = str.maketrans({0xE000 + number: mark for number, mark in enumerate(_MARKS)})
_REDIRECTION = re.compile(r"(?<![\w\"'])(?:\d|&)?>{1,2}\s*(?:&\d|[^\s;|&]+)")
_OPERATOR = re.compile(r"[;|&]+")
# Words before a command that do not change what it is.
_BEFORE = frozenset(("eval", "exec", "nohup", "sudo", "time", "env", "then", "else", "do", "CMD", "RUN", "!"))
# Commands that show their words and do not run them.
_PRINTS = frozenset(("echo", "printf", "cat", "#"))
MAX_LENGTH = 100_000  # of one line with its variables put in
MAX_WHOLE = 4_000_000  # of all of them


@dataclass(frozen=True)
class Command:
    """One command: its words without what stands before it, the variables it runs with, its line from 1."""

    words: tuple[str, ...]
    line: int
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def unresolved(self) -> tuple[str, ...]:
        """Words that still hold something which only a shell can know."""
        return tuple(word for word in self.words if re.search(r"\$[\w({@]|`", word))


def commands(text: str) -> list[Command]:
    """Every command of a script, in order; a line that is no shell is passed over."""
    known: dict[str, str] = {}
    exported: dict[str, str] = {}
    found: list[Command] = []
    whole = 0
    for line, raw in _logical(text):
        expanded = _expand(raw, known)
        whole += len(expanded)
        if whole > MAX_WHOLE:
            break
        if array := _ARRAY.fullmatch(expanded):
            name, items = f"{array[1]}[]", array[3].strip().removesuffix(")")
            known[name] = (f"{known.get(name, '')} {items}" if array[2] else items)[:MAX_LENGTH]
            continue
        for words in _split(expanded):
            variables, rest = _assignments(words)
            if rest[:1] == ["export"]:
                variables, rest = _assignments(rest[1:])
                exported.update(variables)
                rest = []
            if rest and rest[0] not in _PRINTS:
                found.append(Command(tuple(rest), line, {**exported, **variables}))
            elif not rest:
                known.update(variables)
    return found


def _logical(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their continuations, and with what an open quote takes in; the first one's number."""
    pending, start, quote = "", 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        if len(pending) > MAX_LENGTH:
            pending, start, quote = "", 0, ""
        start = start or number
        bare, quote = _bare(line, quote)
        if bare.endswith("\\") and quote != "'":
            pending += bare[:-1] + " "
        elif quote:
            pending += bare + "\n"
        elif (array := _ARRAY.fullmatch(pending + bare)) and not array[3].rstrip().endswith(")"):
            pending += bare + " "
        else:
            yield start, pending + bare
            pending, start = "", 0
    if pending:
        yield start, pending


def _bare(line: str, quote: str) -> tuple[str, str]:
    """A line without its comment, and the quote that is open at its end; `quote` is open at its start."""
    skip = False
    for index, char in enumerate(line):
        if skip:
            skip = False
        elif char == "\\" and quote != "'":
            skip = True
        elif quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char == "#" and (index == 0 or line[index - 1].isspace()):
            return line[:index], ""
    return line, quote


def _expand(text: str, known: Mapping[str, str]) -> str:
    """The text with the script's own variables in place of their names, outside single quotes."""

    def value(match: re.Match[str]) -> str:
        name, default = match["braced"] or match["plain"], match["default"]
        if match["array"]:
            name = f"{match['array']}[]"
        if name is None:
            return match[0]
        return known.get(name, match[0] if default is None else default)

    return _VARIABLE.sub(value, text)[:MAX_LENGTH]


def _split(text: str) -> Iterator[list[str]]:
    """The words of each command in a line; nothing where its quotes do not close."""
    text = _RUNS.sub(lambda run: run[0].translate(_ASIDE), text)
    lexer = shlex.shlex(_REDIRECTION.sub(" ", text), posix=True, punctuation_chars=";|&")
    lexer.whitespace_split = True
    lexer.commenters = ""
    words: list[str] = []
    try:
        for word in lexer:
            if _OPERATOR.fullmatch(word):
                yield words
                words = []
            else:
                words.append(word.translate(_BACK))
    except ValueError:
        return
    yield words


def _assignments(words: list[str]) -> tuple[dict[str, str], list[str]]:
    """The assignments at the front of a command, and the command without what stands before it."""
    variables: dict[str, str] = {}
    for number, word in enumerate(words):
        assigned = _ASSIGNMENT.fullmatch(word)
        if assigned:
            variables[assigned[1]] = assigned[2]
        elif word not in _BEFORE:
            return variables, words[number:]
    return variables, []
