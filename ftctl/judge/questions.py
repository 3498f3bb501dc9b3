"""Rows as questions: what of a row is asked, and what the answer is held against."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ftctl.facts.row_checks import check_row

MEDIA = ("images", "videos", "audios")  # columns of LLaMA-Factory's rows that are no text
THOUGHT = "</think>"
STANDS_IN = "."  # an answer for a row that has none, so that the rest of it can be checked

Row = Mapping[str, Any]
Names = Mapping[str, str]
Message = dict[str, Any]


@dataclass(frozen=True)
class Question:
    """What is sent: messages and tools as the OpenAI API takes them. `reference` is the answer that the row
    has, without its thoughts; of a call of functions `calls` are those."""

    messages: tuple[Message, ...]
    tools: tuple[Message, ...] = ()
    reference: str | None = None
    calls: tuple[Message, ...] = ()

    def record(self, name: str) -> dict[str, Any]:
        """The question as its line of questions.jsonl, under its id."""
        return {
            "id": name,
            "messages": list(self.messages),
            "tools": list(self.tools) or None,
            "reference": self.reference,
            "reference_tool_calls": list(self.calls) or None,
        }


def fault(form: str, row: Any, columns: Names, tags: Names) -> str:
    """What keeps a row from being asked, its answer aside; empty where nothing does."""
    if form == "text":
        return "a text asks nothing"
    if not isinstance(row, dict):
        return check_row(form, row, columns, tags)
    media = [name for name in MEDIA if row.get(name)]
    if media:
        return f'it has "{media[0]}", and questions are text alone'
    return check_row(form, _answered(row, columns, tags), columns, tags) or _tools_fault(row, columns)


def _answered(row: Row, columns: Names, tags: Names) -> Row:
    """The row with an answer, where it has none."""
    if "messages" not in columns:
        empty = row.get(columns["response"]) in (None, "")
        return {**row, columns["response"]: STANDS_IN} if empty else row
    messages = row.get(columns["messages"])
    if not isinstance(messages, list) or not messages or not isinstance(messages[-1], dict):
        return row
    if messages[-1].get(tags["role_tag"]) not in (tags["user_tag"], tags["observation_tag"]):
        return row
    answer = {tags["role_tag"]: tags["assistant_tag"], tags["content_tag"]: STANDS_IN}
    return {**row, columns["messages"]: [*messages, answer]}


def _tools_fault(row: Row, columns: Names) -> str:
    text = row.get(columns.get("tools", ""))
    if not text:
        return ""
    try:
        tools = json.loads(text)
    except ValueError:
        tools = None
    good = isinstance(tools, list) and all(isinstance(tool, dict) for tool in tools)
    return "" if good else f'"{columns["tools"]}" is no list of tools written as JSON'


def question_of(row: Row, columns: Names, tags: Names, system: str | None = None) -> Question:
    """The question of a row without fault: its last answer is the reference, what stands before it is asked.

    `system` is put in front where the row has no system prompt of its own.
    """
    turns = list(_turns(row, columns, tags))
    answer: Message = turns.pop() if turns[-1]["role"] == "assistant" else {"content": None}
    if system and turns[0]["role"] != "system":
        turns.insert(0, {"role": "system", "content": system})
    text, calls = answer["content"], answer.get("tool_calls", ())
    return Question(
        tuple(turns),
        tuple(map(_tool, json.loads(row.get(columns.get("tools", "")) or "[]"))),
        None if calls or text is None else without_thought(text) or None,
        tuple(calls),
    )


def without_thought(text: str) -> str:
    """What is said after the thoughts that a text begins with; the text itself where it has none."""
    thought, end, said = text.partition(THOUGHT)
    return said.lstrip() if end and thought.lstrip().startswith("<think>") else text


def _tool(written: Message) -> Message:
    """A tool as the API takes it; training takes its function alone too."""
    return written if written.get("type") == "function" else {"type": "function", "function": written}


def _turns(row: Row, columns: Names, tags: Names) -> Iterator[Message]:
    """The whole conversation of a row in the API's roles, the system prompt first."""
    own = row.get(columns.get("system", "")) or None
    if "messages" not in columns:
        yield from _said("system", own)
        for asked, answered in row.get(columns.get("history", "")) or ():
            yield from (*_said("user", asked), *_said("assistant", answered))
        parts = (row.get(columns["prompt"]), row.get(columns.get("query", "")))
        yield from _said("user", "\n".join(part for part in parts if part))
        yield from _said("assistant", row.get(columns["response"]) or None)
        return
    messages = row[columns["messages"]]
    if messages[0][tags["role_tag"]] != tags["system_tag"]:
        yield from _said("system", own)
    yield from _messages(messages, tags)


def _said(role: str, text: str | None) -> tuple[Message, ...]:
    return () if text is None else ({"role": role, "content": text},)


def _messages(messages: list[Row], tags: Names) -> Iterator[Message]:
    roles = {
        tags["system_tag"]: "system",
        tags["user_tag"]: "user",
        tags["assistant_tag"]: "assistant",
        tags["observation_tag"]: "tool",
    }
    last = ""
    for number, message in enumerate(messages):
        role, content = message[tags["role_tag"]], message[tags["content_tag"]]
        if role == tags["function_tag"]:
            calls = list(_calls(content, number))
            last = calls[0]["id"]
            yield {"role": "assistant", "content": "", "tool_calls": calls}
        elif roles[role] == "tool":
            yield {"role": "tool", "tool_call_id": last, "content": content}
        else:
            yield {"role": roles[role], "content": content}


def _calls(content: str, turn: int) -> Iterator[Message]:
    """The calls of a turn. Their ids tell an answer's call alone: training knows none."""
    written = json.loads(content)
    for number, call in enumerate(written if isinstance(written, list) else [written]):
        given = call["arguments"]
        arguments = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
        name = f"call_{turn}_{number}"
        yield {"id": name, "type": "function", "function": {"name": call["name"], "arguments": arguments}}
