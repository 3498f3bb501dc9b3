"""Rows of every format become questions; what cannot be asked is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ftctl.facts import formats
from ftctl.job.model import Dataset
from ftctl.judge.questions import Question, fault, question_of, without_thought

TOOL = {"name": "tide", "description": "The water level.", "parameters": {"type": "object", "properties": {}}}
CALL = '{"name": "tide", "arguments": {"pier": "3"}}'
USER, ANSWER = {"role": "user", "content": "When?"}, {"role": "assistant", "content": "At 7."}


HERE = Path("rows.jsonl")


def names(row: dict[str, Any], dataset: Dataset) -> tuple[str, dict[str, str], dict[str, str]]:
    form = formats.detect(row, dataset, texts=True) or ""
    return form, formats.columns_of(form, dataset, row), formats.tags_of(form, dataset)


def asked(row: dict[str, Any], system: str | None = None, **dataset: Any) -> Question:
    form, columns, tags = names(row, Dataset(HERE, **dataset))
    assert fault(form, row, columns, tags) == ""
    return question_of(row, columns, tags, system)


def refused(row: dict[str, Any]) -> str:
    form, columns, tags = names(row, Dataset(HERE))
    return fault(form, row, columns, tags)


def said(question: Question) -> list[tuple[str, str]]:
    return [(message["role"], message["content"]) for message in question.messages]


def test_alpaca_joins_instruction_and_input_as_the_training_does() -> None:
    row = {"instruction": "Translate.", "input": "Guten Tag", "output": "Good day", "history": [["a", "b"]]}
    question = asked({**row, "system": "Be short."})
    assert said(question) == [
        ("system", "Be short."), ("user", "a"), ("assistant", "b"), ("user", "Translate.\nGuten Tag")
    ]  # fmt: skip
    assert question.reference == "Good day"


def test_mapped_columns_are_read() -> None:
    columns = {"prompt": "frage", "response": "antwort"}
    question = asked({"frage": "Wann?", "antwort": "Um 7."}, columns=columns)
    assert (said(question), question.reference) == ([("user", "Wann?")], "Um 7.")


def test_of_several_turns_the_last_answer_is_the_reference() -> None:
    question = asked({"messages": [USER, ANSWER, {"role": "user", "content": "And back?"}, ANSWER]})
    assert said(question) == [("user", "When?"), ("assistant", "At 7."), ("user", "And back?")]
    assert question.reference == "At 7."


@pytest.mark.parametrize(
    "row",
    [
        {"messages": [USER]},
        {"instruction": "When?"},
        {"instruction": "When?", "output": ""},
        {"conversations": [{"from": "human", "value": "When?"}]},
    ],
)
def test_a_row_without_an_answer_is_asked_and_has_no_reference(row: dict[str, Any]) -> None:
    question = asked(row)
    assert (said(question), question.reference, question.calls) == ([("user", "When?")], None, ())


def test_the_jobs_system_prompt_stands_where_a_row_has_none() -> None:
    assert said(asked({"messages": [USER, ANSWER]}, "Be kind."))[0] == ("system", "Be kind.")
    own = [{"role": "system", "content": "Be short."}, USER, ANSWER]
    assert said(asked({"messages": own}, "Be kind."))[0] == ("system", "Be short.")


def test_tools_and_calls_are_those_of_the_api() -> None:
    turns = [("human", "How high?"), ("function_call", CALL), ("observation", "2 m"), ("gpt", "Two metres.")]
    row = {
        "conversations": [{"from": who, "value": what} for who, what in turns],
        "tools": json.dumps([TOOL]),
    }
    question = asked(row)
    assert question.tools == ({"type": "function", "function": TOOL},)
    _, call, answer = question.messages
    assert call["tool_calls"][0]["function"] == {"name": "tide", "arguments": '{"pier": "3"}'}
    assert (answer["role"], answer["tool_call_id"]) == ("tool", call["tool_calls"][0]["id"])
    assert question.reference == "Two metres."


def test_a_call_can_be_what_is_wanted() -> None:
    turns = [("human", "How high?"), ("function_call", CALL)]
    question = asked({"conversations": [{"from": who, "value": what} for who, what in turns]})
    assert question.reference is None
    assert [call["function"]["name"] for call in question.calls] == ["tide"]


def test_the_thoughts_of_a_reference_are_no_part_of_it() -> None:
    answer = {"role": "assistant", "content": "<think>\nHm.\n</think>\n\nAt 7."}
    assert asked({"messages": [USER, answer]}).reference == "At 7."
    assert without_thought("a </think> b") == "a </think> b"


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"text": "Once upon a time"}, "a text asks nothing"),
        ({"messages": [USER, ANSWER], "images": ["a.png"]}, '"images", and questions are text alone'),
        ({"messages": [ANSWER]}, "has its turn"),
        ({"messages": []}, "no format"),
        ({"instruction": ""}, "the question is missing"),
        ({"conversations": [{"from": "human", "value": "?"}], "tools": "[1]"}, "no list of tools"),
    ],
)
def test_what_cannot_be_asked_is_said(row: dict[str, Any], words: str) -> None:
    form = formats.detect(row, Dataset(HERE), texts=True)
    assert words in (refused(row) if form else "no format")
