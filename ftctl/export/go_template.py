"""The part of Go's text/template that ftctl writes for Ollama, evaluated as Ollama would.

Known: text, `{{ .Field }}`, `{{ "text" }}`, `{{ if .Field }}`, `{{ if eq .Field "text" }}`, `{{ else }}`,
`{{ else if … }}`, `{{ range .Messages }}` and `{{ end }}`. Whatever else a template has is refused. What
Ollama gives a template, and that it joins messages of one role, is in its template/template.go.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ACTION = re.compile(r"\{\{ ?((?:\"(?:[^\"\\]|\\.)*\"|[^\"{}])*?) ?\}\}", re.DOTALL)
EQUAL = re.compile(r"eq \.(\w+) (\"(?:[^\"\\]|\\.)*\")")
FIELD = re.compile(r"\.(\w+)")

Scope = Mapping[str, Any]
Node = Callable[[Scope], str]


class UnknownTemplate(ValueError):
    """A template with something that is not known here."""


@dataclass
class _Reader:
    """What of a template is still to be read: texts at even places, actions between them."""

    pieces: list[str]
    at: int = 0

    def next(self) -> tuple[str, str]:
        """The next text and the action after it; the action after the last text is empty."""
        text = self.pieces[self.at]
        action = self.pieces[self.at + 1] if self.at + 1 < len(self.pieces) else ""
        self.at += 2
        return text, action


def compiled(template: str) -> Node:
    """The template as a function of what Ollama gives it. Raises UnknownTemplate."""
    pieces = ACTION.split(template)
    if any("{{" in text for text in pieces[::2]):
        raise UnknownTemplate("an action that is not known here")
    reader = _Reader(pieces)
    body, end = _block(reader)
    if end or reader.at < len(pieces):
        raise UnknownTemplate(f"{{{{ {end} }}}} closes nothing")
    return body


def _block(reader: _Reader) -> tuple[Node, str]:
    """What stands up to the `end` or `else` that closes it, and that word; "" at the template's end."""
    nodes: list[Node] = []
    while True:
        text, action = reader.next()
        nodes.append(lambda scope, text=text: text)  # type: ignore[misc] # bound now, not when called
        if not action or action == "end" or action.startswith("else"):
            return (lambda scope: "".join(node(scope) for node in nodes)), action
        nodes.append(_action(action, reader))


def _action(action: str, reader: _Reader) -> Node:
    word, _, rest = action.partition(" ")
    if word == "if":
        return _if(rest, reader)
    if word == "range":
        return _range(rest, reader)
    if action.startswith('"'):
        literal = _literal(action)
        return lambda scope: literal
    field = _field(action)
    return lambda scope: str(scope.get(field, ""))


def _if(condition: str, reader: _Reader) -> Node:
    holds = _condition(condition)
    body, end = _block(reader)
    other: Node = lambda scope: ""  # noqa: E731 - the branch that is not there
    if end.startswith("else if "):
        other = _if(end.removeprefix("else if "), reader)
    elif end == "else":
        other, end = _block(reader)
    if not (end == "end" or end.startswith("else if ")):
        raise UnknownTemplate("an if without its end")
    return lambda scope: body(scope) if holds(scope) else other(scope)


def _range(over: str, reader: _Reader) -> Node:
    field = _field(over)
    body, end = _block(reader)
    if end != "end":
        raise UnknownTemplate("a range without its end")
    return lambda scope: "".join(body(item) for item in scope[field])


def _condition(said: str) -> Callable[[Scope], bool]:
    equal = EQUAL.fullmatch(said)
    if equal is not None:
        field, value = equal[1], _literal(equal[2])
        return lambda scope: scope.get(field) == value
    named = _field(said)
    return lambda scope: bool(scope.get(named))


def _field(said: str) -> str:
    found = FIELD.fullmatch(said)
    if found is None:
        raise UnknownTemplate(f"{{{{ {said} }}}} is not known here")
    return found[1]


def _literal(said: str) -> str:
    """A Go string; those that ftctl writes are JSON's too."""
    try:
        return str(json.loads(said))
    except ValueError:
        raise UnknownTemplate(f"{said} is no text that is known here") from None


def rendered(node: Node, messages: Sequence[Mapping[str, str]]) -> str:
    """What Ollama makes of a chat: `.System` is what the system said, `.Messages` is everything."""
    system = "\n\n".join(one["content"] for one in messages if one["role"] == "system")
    return node({"System": system, "Messages": list(_joined(messages)), "Response": ""})


def _joined(messages: Sequence[Mapping[str, str]]) -> Iterator[dict[str, str]]:
    """Messages of one role after another are one."""
    last: dict[str, str] | None = None
    for one in messages:
        if last is not None and last["Role"] == one["role"]:
            last["Content"] += "\n\n" + one["content"]
            continue
        if last is not None:
            yield last
        last = {"Role": one["role"], "Content": one["content"]}
    if last is not None:
        yield last


def text(said: str) -> str:
    """A text as it stands in a template: what would end the template or an action is written as a string.

    A Modelfile's reader drops what cannot be printed and ends at three quotes (Ollama's parser/parser.go).
    """
    return "".join(
        "{{ " + json.dumps(part, ensure_ascii=True) + " }}" if number % 2 else part
        for number, part in enumerate(_unsafe().split(said))
    )


def _unsafe() -> re.Pattern[str]:
    return re.compile(
        r"(\{\{|\}\}|\"|[^\S \n]|[\x00-\x08\x0b-\x1f\x7f-\xa0\xad\u200b-\u200f\u2028-\u202f\ufeff])"
    )
