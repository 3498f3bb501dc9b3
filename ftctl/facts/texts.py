"""The texts of a row that a model reads and learns: what is counted, compared and measured in tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def texts_of(
    name: str, row: Mapping[str, Any], columns: Mapping[str, str], tags: Mapping[str, str]
) -> list[str]:
    """The texts of a checked row in the order in which they are read; what is left out is an empty text.

    Two rows train on the same exactly where these are the same: an id or a source makes no difference.
    """
    system, tools = row.get(columns.get("system", "")) or "", row.get(columns.get("tools", "")) or ""
    if "messages" in columns:
        content = tags["content_tag"]
        return [system, tools, *[message[content] for message in row[columns["messages"]]]]
    if name == "text":
        return [row[columns["prompt"]]]
    history = [text for pair in row.get(columns.get("history", "")) or () for text in pair]
    query = row.get(columns.get("query", "")) or ""
    return [system, tools, *history, row.get(columns["prompt"]) or "", query, row[columns["response"]]]


def spoken_of(
    form: str, row: Mapping[str, Any], columns: Mapping[str, str], tags: Mapping[str, str]
) -> list[str]:
    """What is asked and answered in a row, be it checked or not: nothing of one that is no row of the format.

    System prompts and tools are left out: they are the same in many rows and tell none apart.
    """
    try:
        if "messages" in columns:
            spoken = [m for m in row[columns["messages"]] if m[tags["role_tag"]] != tags["system_tag"]]
            return [message[tags["content_tag"]] for message in spoken]
        texts = texts_of(form, {columns.get("response", ""): "", **row}, columns, tags)
        return texts if form == "text" else texts[2:]
    except (KeyError, TypeError, ValueError):
        return []


def turns_of(name: str, texts: list[str]) -> int:
    """How many answers a row has: a question and its answer are one turn."""
    if name == "text":
        return 1
    return max(1, (len(texts) - (3 if name == "alpaca" else 2)) // 2)
