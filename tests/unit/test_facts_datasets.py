"""A data file is scanned whole: its format and rows, or every bad row with its line."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from ftctl.errors import Problem
from ftctl.facts.datasets import scan
from ftctl.facts.model import DatasetFacts
from ftctl.job.model import Dataset
from ftctl.trainers.dataset_info import dataset_info_entry

QA = {"instruction": "Hi?", "output": "Yes."}
TALK = {"conversations": [{"from": "human", "value": "Hi?"}, {"from": "gpt", "value": "Yes."}]}
CHAT = {"messages": [{"role": "user", "content": "Hi?"}, {"role": "assistant", "content": "Yes."}]}


def jsonl(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return path


def facts_of(path: Path, **how: Any) -> DatasetFacts:
    facts, problems = scan(Dataset(path, **how))
    assert problems == ()
    assert facts is not None
    return facts


def problems_of(path: Path, **how: Any) -> tuple[Problem, ...]:
    facts, problems = scan(Dataset(path, **how))
    assert facts is None
    assert problems and all(problem.file == str(path) for problem in problems)
    return problems


@pytest.mark.parametrize(("row", "name"), [(QA, "alpaca"), (TALK, "sharegpt"), (CHAT, "openai")])
@pytest.mark.parametrize("kind", ["json", "jsonl"])
def test_formats_are_detected(tmp_path: Path, row: Any, name: str, kind: str) -> None:
    path = tmp_path / f"数据 'x'.{kind}"
    path.write_text(json.dumps([row, row], indent=2) if kind == "json" else (json.dumps(row) + "\n") * 2)
    facts = facts_of(path)
    assert (facts.format, facts.file_type, facts.rows) == (name, kind, 2)
    assert facts.bytes == path.stat().st_size
    assert facts.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_first_character_tells_an_array_from_lines(tmp_path: Path) -> None:
    path = tmp_path / "array.jsonl"
    path.write_text(json.dumps([QA]))
    assert facts_of(path).file_type == "json"
    assert facts_of(jsonl(tmp_path / "lines.json", QA)).file_type == "jsonl"


def test_lines_tolerate_what_the_engine_tolerates(tmp_path: Path) -> None:
    path = tmp_path / "odd.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + b"\r\n \r\n\n".join([json.dumps(QA).encode()] * 3))
    assert facts_of(path).rows == 3


def test_only_columns_that_rows_have_are_named(tmp_path: Path) -> None:
    """LLaMA-Factory dies on a default column that the file lacks."""
    assert facts_of(jsonl(tmp_path / "a.jsonl", QA)).columns == {
        "prompt": "instruction",
        "response": "output",
    }
    full = {**QA, "input": "x", "system": "Be kind.", "history": [["a", "b"]]}
    assert facts_of(jsonl(tmp_path / "b.jsonl", QA, full)).columns == {
        "prompt": "instruction",
        "response": "output",
        "query": "input",
        "history": "history",
        "system": "system",
    }


def test_columns_and_tags_are_mapped(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", {"question": "Hi?", "answer": "Yes."})
    facts = facts_of(path, columns={"prompt": "question", "response": "answer"})
    assert (facts.format, facts.columns) == ("alpaca", {"prompt": "question", "response": "answer"})
    talk = {"turns": [{"who": "me", "text": "Hi?"}, {"who": "it", "text": "Yes."}]}
    tags = {"role_tag": "who", "content_tag": "text", "user_tag": "me", "assistant_tag": "it"}
    facts = facts_of(
        jsonl(tmp_path / "b.jsonl", talk), format="sharegpt", columns={"messages": "turns"}, tags=tags
    )
    assert facts.columns == {"messages": "turns"}
    assert facts.tags["user_tag"] == "me" and facts.tags["system_tag"] == "system"


def test_messages_under_the_other_name(tmp_path: Path) -> None:
    facts = facts_of(jsonl(tmp_path / "a.jsonl", {"conversations": CHAT["messages"]}))
    assert (facts.format, facts.columns) == ("openai", {"messages": "conversations"})


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ('{"instruction": "a", "output": "b"}\n{"instruction": "a", "out', 2, "Unterminated string"),
        ('{"instruction": "a", "output": "b"}\n\n{"instruction": "a",, }\n', 3, "not valid JSON"),
        ('{"instruction": "a", "output": "b"}\n"text"\n', 2, "a row must be an object, this is a text"),
        ('[{"instruction": "a", "output": "b"},\n\n{"instruction" "a"}]', 3, "Expecting ':'"),
        ('[{"instruction": "a", "output": "b"}\n\n,]', 3, "Expecting value"),
        ('[{"instruction": "a", "output": "b"}\n', 2, "the array is cut short"),
        ('[{"instruction": "a", "output": "b"},\n{"instru', 2, "Unterminated string"),
        ('[{"instruction": "a", "output": "b"}\n"x"]', 2, "expecting ',' or ']'"),
        ('[{"instruction": "a", "output": "b"}]\n[]', 2, "text after the end"),
        ('\ufeff[{"instruction": "a", "output": "b"}]', 1, "byte order mark"),
        ("[1]", 1, "it is a number"),
    ],
)
def test_broken_json_has_its_line(tmp_path: Path, text: str, line: int, said: str) -> None:
    path = tmp_path / "broken.json"
    path.write_text(text)
    (problem,) = problems_of(path)
    assert problem.line == line and said in problem.message


def test_what_is_not_utf8_has_its_line(tmp_path: Path) -> None:
    path = tmp_path / "latin.jsonl"
    path.write_bytes(json.dumps(QA).encode() + b'\n{"instruction": "\xe9"}\n')
    assert [(problem.line, problem.message) for problem in problems_of(path)] == [(2, "not UTF-8 text")]
    path.write_bytes(b'[{"instruction": "\xe9"}]')
    assert "not UTF-8 text" in problems_of(path)[0].message


@pytest.mark.parametrize("text", ["", "\n \n", "[]", " [ ]\n"])
def test_a_file_without_rows(tmp_path: Path, text: str) -> None:
    path = tmp_path / "empty.json"
    path.write_text(text)
    (problem,) = problems_of(path)
    assert problem.message == "the file has no rows" and problem.remedy


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    assert "there is no such file" in problems_of(tmp_path / "gone.jsonl")[0].message
    assert "it is a folder" in problems_of(tmp_path)[0].message


def _talk(*roles: str) -> dict[str, Any]:
    return {"conversations": [{"from": role, "value": "x"} for role in roles]}


@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        (QA, {"instruction": "a"}, 'the answer is missing: no "output"'),
        (QA, {"instruction": "a", "output": None}, '"output" must be text, this is a null'),
        (QA, {"instruction": 3, "output": "b"}, '"instruction" must be text, this is a number'),
        (QA, {"instruction": "", "output": "b"}, "the question is missing"),
        (QA, {**QA, "history": ["a"]}, '"history" must be a list of'),
        (QA, {**QA, "system": ["a"]}, '"system" must be text, this is a list'),
        (QA, TALK, 'the answer is missing: no "output"'),
        (TALK, {}, 'the messages are missing: no "conversations"'),
        (TALK, {"conversations": "x"}, "must be a list of messages"),
        (TALK, {"conversations": []}, "it has no messages"),
        (TALK, {"conversations": ["x"]}, "message 1 of 1: it must be an object"),
        (TALK, {"conversations": [{"from": "human"}]}, 'message 1 of 1: "value" must be text'),
        (TALK, {"conversations": [{"value": "x"}]}, 'message 1 of 1: no text in "from"'),
        (TALK, _talk("human"), 'the answer is missing: the last message is from "human"'),
        (TALK, _talk("system"), "it has no messages"),
        (TALK, _talk("gpt", "human"), 'message 1: "gpt" stands where "human" or "observation"'),
        (TALK, _talk("human", "gpt", "system", "gpt"), 'message 3: "system" stands where'),
        (TALK, _talk("human", "bot"), 'the role "bot" is none of human, observation, gpt'),
        (TALK, _talk("human", "function_call"), "a function call must be JSON"),
        (TALK, {**TALK, "tools": [{"name": "x"}]}, '"tools" must be JSON written as text'),
        (
            CHAT,
            {
                "messages": [
                    {"role": "user", "content": "a"},
                    {"role": "assistant", "tool_calls": [{"id": "1"}]},
                ]
            },
            '"tool_calls" are not read',
        ),
        (CHAT, {"messages": [{"role": "user", "content": ["a"]}]}, '"content" must be text, this is a list'),
        ({**QA, "id": 1}, {**QA, "id": "x"}, '"id" is a text here and a number on line 1'),
    ],
)
def test_a_row_of_another_shape_has_its_line(tmp_path: Path, good: Any, bad: Any, said: str) -> None:
    (problem,) = problems_of(jsonl(tmp_path / "rows.jsonl", good, good, bad, good))
    assert problem.line == 3 and said in problem.message


def test_conversations_that_are_right(tmp_path: Path) -> None:
    call = {"from": "function_call", "value": '{"name": "f", "arguments": {}}'}
    rows = [
        _talk("system", "human", "gpt"),
        _talk("human", "gpt", "human", "gpt"),
        {
            "conversations": [
                *_talk("human")["conversations"],
                call,
                *_talk("observation", "gpt")["conversations"],
            ]
        },
    ]
    assert facts_of(jsonl(tmp_path / "talk.jsonl", *rows)).rows == 3


def test_an_unknown_format_and_unknown_names(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", {"text": "x"})
    (problem,) = problems_of(path)
    assert "it has 'text'" in problem.message and problem.line == 1 and problem.remedy
    path = jsonl(tmp_path / "b.jsonl", QA)
    wrong = problems_of(path, columns={"promt": "instruction"}, tags={"role_tag": "x"})
    assert [problem.message for problem in wrong] == [
        'columns has no "promt" in the alpaca format',
        'tags has no "role_tag" in the alpaca format',
    ]


def test_twenty_problems_are_shown_and_the_rest_counted(tmp_path: Path) -> None:
    problems = problems_of(jsonl(tmp_path / "a.jsonl", QA, *[{"instruction": "a"}] * 30))
    assert [problem.line for problem in problems[:20]] == list(range(2, 22))
    assert problems[20].message == "and 10 more bad rows below"
    assert sorted(problems) == list(problems)


def test_an_array_larger_than_what_is_read_at_once(tmp_path: Path) -> None:
    rows = [
        {"instruction": f"{number} 中", "output": "x" * (3 << 20 if number == 5 else 900)}
        for number in range(3000)
    ]
    path = tmp_path / "large.json"
    path.write_text("[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n")
    facts = facts_of(path)
    assert facts.rows == 3000 and facts.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    text = path.read_text().replace('"instruction": "2500 中"', '"instruction": 2500')
    path.write_text(text)
    assert [problem.line for problem in problems_of(path)] == [2502]


def test_a_column_that_comes_late_in_a_large_file(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "late.jsonl", *[{**QA, "output": "x" * (1 << 20)}] * 11, {**QA, "input": "y"})
    (problem,) = problems_of(path)
    assert problem.line == 12 and '"input" first appears after 10 MiB' in problem.message


def test_entries_of_dataset_info(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "chat.jsonl", CHAT, CHAT)
    facts = facts_of(path)
    entry = dataset_info_entry(facts, "d0.jsonl", Dataset(path, max_samples=2))
    assert entry == {
        "file_name": "d0.jsonl",
        "formatting": "sharegpt",
        "columns": {"messages": "messages"},
        "tags": {
            "role_tag": "role",
            "content_tag": "content",
            "user_tag": "user",
            "assistant_tag": "assistant",
            "observation_tag": "tool",
            "function_tag": "function_call",
            "system_tag": "system",
        },
    }
    assert dataset_info_entry(facts, "d0.jsonl", Dataset(path, max_samples=1))["num_samples"] == 1
    alpaca = facts_of(jsonl(tmp_path / "qa.jsonl", QA))
    assert dataset_info_entry(alpaca, "d1.jsonl", Dataset(path)) == {
        "file_name": "d1.jsonl",
        "formatting": "alpaca",
        "columns": {"prompt": "instruction", "response": "output"},
    }
