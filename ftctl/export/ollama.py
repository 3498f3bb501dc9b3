"""Ollama's Modelfile: the trained form of a conversation as a Go template, checked in the tokens of training.

The template is taken from the conversations that the training engine has encoded: what stands between their
messages is the template. It then must give the same token ids for every one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from ftctl.errors import FtctlError
from ftctl.export.go_template import compiled, rendered, text

MODELFILE = "Modelfile"
Encode = Callable[[str], list[int]]
CONTENT, ELSE, END = "{{ .Content }}", "{{ else }}", "{{ end }}"
INSTEAD = "take --to merged: chat_template.jinja there has been checked"


@dataclass(frozen=True)
class Form:
    """What stands around the messages of a conversation: before the first where the system says nothing,
    before and after what it says, around a user's message, around an assistant's, and at the end."""

    start: str
    system: tuple[str, str]
    user: tuple[str, str]
    assistant: tuple[str, str]
    end: str


@dataclass(frozen=True)
class Checked:
    """A Modelfile's template: `count` conversations have the trained tokens with it, `left` were not compared
    (tools that no row has, thinking that is to be switched). `bos` is the text of the token that the trained
    ids begin with and that the template leaves to the tokenizer."""

    template: str
    count: int
    left: tuple[str, ...]
    bos: str | None


def checked(trained: Mapping[str, Any], encode: Encode, bos: tuple[int, str] | None) -> Checked:
    """The Go template of what was trained.

    `encode` gives the ids of a text with its special tokens; `bos` is the id and text of the token that
    begins a text, None where the tokenizer has none.

    Raises FtctlError where no template of this kind gives the trained ids.
    """
    usual = trained.get("usual") or {}
    compared = [one for one in trained["conversations"] if _plain(one, usual)]
    left = tuple(one["name"] for one in trained["conversations"] if not _plain(one, usual))
    needed = [one["name"] for one in trained["conversations"] if one.get("tools") and one["needed"]]
    if needed:
        raise FtctlError("the data has tools, and ftctl writes no Modelfile with tools", INSTEAD)
    first = bos if bos is not None and all(one["ids"][:1] == [bos[0]] for one in compared) else None
    template = go_template(form_of(compared, first[1] if first else ""))
    _check(template, compared, encode, first)
    return Checked(template, len(compared), left, first[1] if first else None)


def _plain(one: Mapping[str, Any], usual: Mapping[str, Any]) -> bool:
    """Whether a conversation asks nothing that a Modelfile's template would have to be told."""
    return not one.get("tools") and (one.get("kwargs") or usual) == usual


def form_of(conversations: Sequence[Mapping[str, Any]], bos: str = "") -> Form:
    """What stands around the messages, found by where the messages lie in the encoded conversations.

    Raises FtctlError where a message is not in it as it was said, or where its surroundings change.
    """
    gaps = [_gaps(one, bos) for one in conversations]
    alone = [one for one in gaps if one.system is None]
    told = [one for one in gaps if one.system is not None]
    several = [one for one in gaps if len(one.between) > 1]
    if not (alone and told and several):
        raise FtctlError(
            "too little is recorded of what was trained", "train again with this version of ftctl"
        )
    start, answer, after = alone[0].start, several[0].between[0], several[0].between[1]
    before, behind = told[0].start, str(told[0].system)
    # What ends all three begins a user's message; so a conversation may begin with another.
    user = _common_end((start, behind, after))
    cut = -len(user) or None
    # What stands before an earlier answer alone belongs to it: an empty thought, for one.
    asked = _common_start((answer, alone[0].end))
    assistant = (answer[len(asked) :], after[:cut])
    return Form(start[:cut], (before, behind[:cut]), (user, asked), assistant, alone[0].end[len(asked) :])


@dataclass(frozen=True)
class _Gaps:
    """The texts before, between and after the messages; `system` follows the system's."""

    start: str
    system: str | None
    between: tuple[str, ...]
    end: str


def _gaps(one: Mapping[str, Any], bos: str) -> _Gaps:
    rest, found = str(one["text"]).removeprefix(bos), []
    for message in one["messages"]:
        before, middle, rest = rest.partition(message["content"])
        if not middle:
            raise FtctlError(f"({one['name']}) a message is not trained as it is said", INSTEAD)
        found.append(before)
    if one["messages"][0]["role"] == "system":
        return _Gaps(found[0], found[1], tuple(found[2:]), rest)
    return _Gaps(found[0], None, tuple(found[1:]), rest)


def _common_start(texts: Sequence[str]) -> str:
    same = (len(set(letters)) == 1 for letters in zip(*texts, strict=False))
    return texts[0][: sum(1 for _ in takewhile(bool, same))]


def _common_end(texts: Sequence[str]) -> str:
    return _common_start([one[::-1] for one in texts])[::-1]


def go_template(form: Form) -> str:
    """The form as a Go template over Ollama's `.System` and `.Messages`."""
    before, behind = map(text, form.system)
    ahead, asked = map(text, form.user)
    begun, ended = map(text, form.assistant)
    user, assistant = f"{ahead}{CONTENT}{asked}", f"{begun}{CONTENT}{ended}"
    start = ELSE + text(form.start) if form.start else ""
    return "".join([
        "{{ if .System }}", before, "{{ .System }}", behind, start, END,
        "{{ range .Messages }}",
        '{{ if eq .Role "user" }}', user, '{{ else if eq .Role "assistant" }}', assistant, END,
        END,
        text(form.end),
    ])  # fmt: skip


def differing(
    template: str, conversations: Sequence[Mapping[str, Any]], encode: Encode, bos: tuple[int, str] | None
) -> list[str]:
    """The names of the conversations of which a template makes other ids than those trained."""
    node, first = compiled(template), [] if bos is None else [bos[0]]
    return [
        one["name"]
        for one in conversations
        if first + encode(rendered(node, one["messages"])) not in (one["ids"], one.get("also"))
    ]


def _check(
    template: str, conversations: Sequence[Mapping[str, Any]], encode: Encode, bos: tuple[int, str] | None
) -> None:
    unlike = differing(template, conversations, encode, bos)
    if unlike:
        raise FtctlError(
            f"no Go template gives the tokens of the training: {len(unlike)} of {len(conversations)} "
            f"conversations differ, the first is {unlike[0]!r}",
            INSTEAD,
        )


def modelfile(made: Checked, weights: str, end: str | None) -> str:
    """The Modelfile of weights beside it. An answer ends with the text `end`, where one is known."""
    lines = [
        "# Made by ftctl. The template writes a conversation as it was trained, the system prompt of the",
        "# training included where it had one of its own.",
        f"FROM {weights}",
        f'TEMPLATE """{made.template}"""',
    ]
    if end is not None:
        lines.append(f'PARAMETER stop "{end}"')
    return "\n".join(lines) + "\n"
