"""Files of questions: every bad row is found, ids name their lines, and the same rows give the same bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ftctl.errors import FtctlError
from ftctl.job.model import Dataset
from ftctl.judge.question_files import QUESTIONS, lay_out, survey

ROWS = [{"instruction": f"Question {number}?", "output": f"Answer {number}."} for number in range(5)]


def rows_at(path: Path, rows: list[Any] = ROWS) -> Dataset:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return Dataset(path)


def written(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / QUESTIONS).read_text().splitlines()]


def test_ids_name_file_and_line(tmp_path: Path) -> None:
    laid = lay_out([rows_at(tmp_path / "test.jsonl")], tmp_path)
    assert laid.rows == 5
    assert [row["id"] for row in written(tmp_path)] == [f"test.jsonl:{line}" for line in range(1, 6)]
    assert written(tmp_path)[0] == {
        "id": "test.jsonl:1", "messages": [{"role": "user", "content": "Question 0?"}], "tools": None,
        "reference": "Answer 0.", "reference_tool_calls": None,
    }  # fmt: skip


def test_rows_of_one_line_and_files_of_one_name_have_ids_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text(json.dumps(ROWS))
    files = [rows_at(tmp_path / folder / "t.jsonl") for folder in ("a", "b")]
    lay_out([Dataset(tmp_path / "one.json"), *files], tmp_path)
    ids = [row["id"] for row in written(tmp_path)]
    assert len(set(ids)) == 15
    assert (ids[5], ids[10]) == ("2/t.jsonl:1", "3/t.jsonl:1")


def test_the_same_rows_give_the_same_digest_and_others_another(tmp_path: Path) -> None:
    first = lay_out([rows_at(tmp_path / "test.jsonl")], tmp_path).digest
    assert lay_out([rows_at(tmp_path / "test.jsonl")], tmp_path).digest == first
    assert lay_out([rows_at(tmp_path / "test.jsonl")], tmp_path, system="Be kind.").digest != first
    assert lay_out([rows_at(tmp_path / "test.jsonl", ROWS[1:])], tmp_path).digest != first


def test_fewer_rows_are_asked_for(tmp_path: Path) -> None:
    rows_at(tmp_path / "test.jsonl")
    assert lay_out([Dataset(tmp_path / "test.jsonl", max_samples=3)], tmp_path).rows == 3
    assert lay_out([Dataset(tmp_path / "test.jsonl")], tmp_path, limit=2).rows == 2


def test_half_a_character_in_a_row_does_not_end_it(tmp_path: Path) -> None:
    (tmp_path / "test.jsonl").write_text('{"instruction": "\\ud83d?", "output": "Yes."}\n')
    lay_out([Dataset(tmp_path / "test.jsonl")], tmp_path)
    assert written(tmp_path)[0]["messages"][0]["content"] == "\ud83d?"


def test_every_bad_row_is_found_in_one_pass(tmp_path: Path) -> None:
    rows = [*ROWS, {"instruction": 5}, *ROWS, {"output": "What?"}]
    found = survey(rows_at(tmp_path / "test.jsonl", rows))
    assert found.facts is None
    assert [problem.line for problem in found.problems] == [6, 12]
    with pytest.raises(FtctlError, match=r"test\.jsonl:6"):
        lay_out([Dataset(tmp_path / "test.jsonl")], tmp_path)


def test_many_bad_rows_are_told_as_a_number(tmp_path: Path) -> None:
    found = survey(rows_at(tmp_path / "test.jsonl", [*ROWS, *[{"output": "What?"}] * 50]))
    assert len(found.problems) == 21
    assert found.problems[-1].message == "and 30 more bad rows below"


def test_references_are_counted(tmp_path: Path) -> None:
    found = survey(rows_at(tmp_path / "test.jsonl", [*ROWS, {"instruction": "And this?"}]))
    assert found.facts is not None
    assert (found.facts.rows, found.references) == (6, 5)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no rows"),
        (b"\x1f\x8b\x08", "compressed with gzip"),
        (b'{"text": "Once"}\n', "a text asks nothing"),
        (b'{"query": "a", "pos": ["b"]}\n', "none of alpaca, sharegpt and openai"),
    ],
)
def test_a_file_that_holds_no_questions_says_why(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "test.jsonl").write_bytes(content)
    (problem,) = survey(Dataset(tmp_path / "test.jsonl")).problems
    assert words in problem.message
