"""The dataset formats that LLaMA-Factory reads: their columns, their tags, and how to tell them apart.

The names are those of its dataset_info.json (0.9.5). It turns every column and tag that an entry leaves
out into None once one is given, and dies on a default column that the file lacks; so both are resolved
completely here, from what the rows really hold.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ftctl.job.model import Dataset

REQUIRED = {
    "alpaca": {"prompt": "instruction", "response": "output"},
    "sharegpt": {"messages": "conversations"},
    "openai": {"messages": "messages"},
    "text": {"prompt": "text"},
}
OPTIONAL = {
    "alpaca": {"query": "input", "history": "history", "system": "system"},
    "sharegpt": {"system": "system", "tools": "tools"},
    "openai": {"tools": "tools"},
    "text": {},
}
MAPPED_ONLY = {"alpaca": ("tools",), "sharegpt": (), "openai": ("system",), "text": ()}
TAGS = {
    "alpaca": {},
    "text": {},
    "sharegpt": {
        "role_tag": "from",
        "content_tag": "value",
        "user_tag": "human",
        "assistant_tag": "gpt",
        "observation_tag": "observation",
        "function_tag": "function_call",
        "system_tag": "system",
    },
    "openai": {
        "role_tag": "role",
        "content_tag": "content",
        "user_tag": "user",
        "assistant_tag": "assistant",
        "observation_tag": "tool",
        "function_tag": "function_call",
        "system_tag": "system",
    },
}


def detect(row: Mapping[str, Any], dataset: Dataset, *, texts: bool = False) -> str | None:
    """The format that a row has, or None; the job's own columns and tags are looked at first.

    With `texts` a row that has no more than a column `text` is one to pretrain on.
    """
    names = [dataset.columns.get("messages", ""), "messages", "conversations"]
    for column in names:
        messages = row.get(column)
        if isinstance(messages, list) and messages and isinstance(messages[0], dict):
            return _message_format(messages[0], dataset.tags)
    if (
        dataset.columns.get("response", "output") in row
        or dataset.columns.get("prompt", "instruction") in row
    ):
        return "alpaca"
    return "text" if texts and "text" in row else None


def _message_format(message: Mapping[str, Any], tags: Mapping[str, str]) -> str | None:
    if tags.get("role_tag", "role") in message and tags.get("content_tag", "content") in message:
        return "openai"
    if tags.get("role_tag", "from") in message and tags.get("content_tag", "value") in message:
        return "sharegpt"
    return None


def columns_of(name: str, dataset: Dataset, row: Mapping[str, Any]) -> dict[str, str]:
    """The columns that are looked for: the format's own, the job's in their place.

    Messages may stand under the other format's usual name; the first row settles it.
    """
    columns = {**REQUIRED[name], **OPTIONAL[name], **dataset.columns}
    if "messages" in columns and "messages" not in dataset.columns and columns["messages"] not in row:
        columns["messages"] = next(
            (column for column in ("messages", "conversations") if column in row), columns["messages"]
        )
    return columns


def present(name: str, columns: Mapping[str, str], dataset: Dataset, seen: Collection[str]) -> dict[str, str]:
    """`columns` without the optional ones that no row has."""
    needed = {*REQUIRED[name], *dataset.columns}
    return {key: column for key, column in columns.items() if key in needed or column in seen}


def tags_of(name: str, dataset: Dataset) -> dict[str, str]:
    """The format's tags, the job's in their place."""
    return {**TAGS[name], **dataset.tags}


def unknown_names(name: str, dataset: Dataset) -> tuple[str, ...]:
    """What is wrong with the names in the job's `columns` and `tags`, one sentence each."""
    columns = [*REQUIRED[name], *OPTIONAL[name], *MAPPED_ONLY[name]]
    wrong = [
        f'{kind} has no "{key}" in the {name} format'
        for kind, given, known in (("columns", dataset.columns, columns), ("tags", dataset.tags, TAGS[name]))
        for key in given
        if key not in known
    ]
    return tuple(wrong)
