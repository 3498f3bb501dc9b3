"""What a row must hold for LLaMA-Factory to train on it; it drops other rows with no more than a warning."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

KINDS = {str: "text", bool: "true or false", int: "number", float: "number", list: "list", dict: "object"}


def kind_of(value: Any) -> str:
    """A JSON value's type in a word that people use; null for None."""
    return KINDS.get(type(value), "null")


def check_row(name: str, row: Any, columns: Mapping[str, str], tags: Mapping[str, str]) -> str:
    """What is wrong with a row of the format `name`; empty where nothing is."""
    if not isinstance(row, dict):
        return f"a row must be an object, this is a {kind_of(row)}"
    if name == "text":
        return _text(row, columns["prompt"])
    for key in ("system", "tools"):
        if key not in columns:
            continue
        value = row.get(columns[key])
        if value is not None and not isinstance(value, str):
            form = "JSON written as text" if key == "tools" else "text"
            return f'"{columns[key]}" must be {form}, this is a {kind_of(value)}'
    return _alpaca(row, columns) if name == "alpaca" else _conversation(row, columns, tags)


def _text(row: Mapping[str, Any], column: str) -> str:
    if column not in row:
        return f'the text is missing: no "{column}"'
    return (
        "" if isinstance(row[column], str) else f'"{column}" must be text, this is a {kind_of(row[column])}'
    )


def _alpaca(row: Mapping[str, Any], columns: Mapping[str, str]) -> str:
    prompt, response = columns["prompt"], columns["response"]
    if response not in row:
        return f'the answer is missing: no "{response}"'
    if not isinstance(row[response], str):
        return f'"{response}" must be text, this is a {kind_of(row[response])}'
    if not row[response].strip():
        return f'the answer is empty: no text in "{response}"'
    query = columns.get("query", "")
    for column in (prompt, query):
        if row.get(column) is not None and not isinstance(row[column], str):
            return f'"{column}" must be text, this is a {kind_of(row[column])}'
    if not row.get(prompt) and not row.get(query):
        return f'the question is missing: no text in "{prompt}"'
    return _history(row.get(columns.get("history", "")))


def _history(history: Any) -> str:
    if history is None:
        return ""
    pairs = history if isinstance(history, list) else [None]
    for pair in pairs:
        if not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(text, str) for text in pair)):
            return '"history" must be a list of [question, answer] pairs of text'
    return ""


def _conversation(row: Mapping[str, Any], columns: Mapping[str, str], tags: Mapping[str, str]) -> str:
    column = columns["messages"]
    if column not in row:
        return f'the messages are missing: no "{column}"'
    messages = row[column]
    if not isinstance(messages, list):
        return f'"{column}" must be a list of messages, this is a {kind_of(messages)}'
    roles = []
    for number, message in enumerate(messages, 1):
        if not _plain(message, tags) and (wrong := _message(message, tags)):
            return f"message {number} of {len(messages)}: {wrong}"
        roles.append(message[tags["role_tag"]])
    return _turns(roles, tags)


def _plain(message: Any, tags: Mapping[str, str]) -> bool:
    """Whether a message is one of those that most are, in which nothing can be wrong: this is asked often."""
    try:
        role, content = message[tags["role_tag"]], message[tags["content_tag"]]
        if type(content) is not str or "tool_calls" in message:
            return False
        return bool(role == tags["user_tag"] or (role == tags["assistant_tag"] and not content[0].isspace()))
    except (KeyError, TypeError, IndexError):
        return False


def _message(message: Any, tags: Mapping[str, str]) -> str:
    if not isinstance(message, dict):
        return f"it must be an object, this is a {kind_of(message)}"
    role, content = tags["role_tag"], tags["content_tag"]
    if not isinstance(message.get(role), str):
        return f'no text in "{role}"'
    if message.get("tool_calls"):
        return (
            f'"tool_calls" are not read; write the call as JSON text with the role "{tags["function_tag"]}"'
        )
    if not isinstance(message.get(content), str):
        return f'"{content}" must be text, this is a {kind_of(message.get(content))}'
    return _said(message[role], message[content], tags)


def _said(role: str, content: str, tags: Mapping[str, str]) -> str:
    if role == tags["function_tag"]:
        return _function_call(content)
    return "the answer is empty" if role == tags["assistant_tag"] and not content.strip() else ""


def _function_call(content: str) -> str:
    try:
        calls = json.loads(content)
    except ValueError:
        return "a function call must be JSON"
    calls = calls if isinstance(calls, list) else [calls]
    if all(isinstance(call, dict) and "name" in call and "arguments" in call for call in calls):
        return ""
    return 'a function call must have "name" and "arguments"'


def _turns(roles: list[str], tags: Mapping[str, str]) -> str:
    """Asking and answering take turns, after at most one system message, and an answer comes last."""
    asking = (tags["user_tag"], tags["observation_tag"])
    answering = (tags["assistant_tag"], tags["function_tag"])
    first = 1 if roles and roles[0] == tags["system_tag"] else 0
    for index, role in enumerate(roles[first:]):
        due = asking if index % 2 == 0 else answering
        if role not in due:
            known = (*asking, *answering, tags["system_tag"])
            if role not in known:
                return f'message {index + first + 1}: the role "{role}" is none of {", ".join(known)}'
            return f'message {index + first + 1}: "{role}" stands where "{due[0]}" or "{due[1]}" has its turn'
    if len(roles) == first:
        return "it has no messages"
    if (len(roles) - first) % 2:
        return f'the answer is missing: the last message is from "{roles[-1]}"'
    return ""
