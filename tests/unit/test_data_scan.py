"""Every kind of data file is read whole: what repeats, what overlaps, and what the engine would misread."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ftctl.errors import Problem
from ftctl.facts.datasets import Survey, survey
from ftctl.facts.oddities import overlap
from ftctl.facts.tally import Tally
from ftctl.job.model import Dataset
from ftctl.trainers.dataset_info import dataset_info_entry

QA = {"instruction": "Hi?", "output": "Yes."}


def jsonl(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def parquet(path: Path, rows: list[Any]) -> Path:
    import pyarrow
    from pyarrow import parquet as files

    files.write_table(pyarrow.Table.from_pylist(rows), path)
    return path


def only(problems: tuple[Problem, ...]) -> Problem:
    (problem,) = problems
    return problem


def test_csv_is_read_as_pandas_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "qa.csv"
    path.write_bytes(
        b'\xef\xbb\xbfinstruction,output,source\r\n"Two\nlines, 1?",Yes.,a\r\n\r\nHi?,"Say ""hi""",\r\n'
    )
    found = survey(Dataset(path))
    assert found.problems == () and found.facts is not None
    assert (found.facts.format, found.facts.file_type, found.facts.rows) == ("alpaca", "csv", 2)
    assert found.facts.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert found.facts.columns == {"prompt": "instruction", "response": "output"}
    assert found.facts.characters == len('Two\nlines, 1?Yes.Hi?Say "hi"')


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (b"Hi?,Yes.\nHi?,\n", 3, '"output" must be text, this is a null'),
        (b'"a\nb",Yes.\nHi?,Yes.,more\n', 4, "it has 3 cells and the head has 2 columns"),
        (b"Hi?,Yes.\nHi?,None\n", 3, "\"output\" is 'None', which the engine reads as no value"),
        (b'Hi?,"Yes.\n', 2, "not valid CSV: unexpected end of data"),
        (b"Hi?,Yes.\nHi?,caf\xe9\n", 3, "not UTF-8 text"),
    ],
)
def test_a_bad_record_of_a_csv_has_its_line(tmp_path: Path, text: bytes, line: int, said: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(b"instruction,output\n" + text)
    problem = only(survey(Dataset(path)).problems)
    assert problem.line == line and said in problem.message


def test_answers_that_are_all_numbers_in_a_csv(tmp_path: Path) -> None:
    path = tmp_path / "sums.csv"
    path.write_text("instruction,output\n1+1,2\n1+2,3.5\n")
    problem = only(survey(Dataset(path)).problems)
    assert '"output" holds nothing but numbers' in problem.message and problem.remedy
    path.write_text("instruction,output\n1+1,2\n1+2,three\n")
    assert survey(Dataset(path)).problems == ()
    path.write_text("instruction,input,output\n1+1,,two\n1+2,,three\n")  # read as a column of None
    assert survey(Dataset(path)).problems == ()


def test_two_columns_of_one_name(tmp_path: Path) -> None:
    path = tmp_path / "twice.csv"
    path.write_text("output,output\na,b\n")
    assert "two columns have the same name" in only(survey(Dataset(path)).problems).message


def test_parquet(tmp_path: Path) -> None:
    chat = [{"role": "user", "content": "Hi?"}, {"role": "assistant", "content": "Yes."}]
    path = parquet(
        tmp_path / "chat.parquet", [{"messages": chat}, {"messages": chat[:1]}, {"messages": chat}]
    )
    problem = only(survey(Dataset(path)).problems)
    assert problem.line == 2 and "the answer is missing" in problem.message
    path = parquet(tmp_path / "good.parquet", [{"messages": chat}] * 1500)
    found = survey(Dataset(path))
    assert found.facts is not None
    assert (found.facts.format, found.facts.rows, found.facts.duplicates) == ("openai", 1500, 1499)
    assert dataset_info_entry(found.facts, "x.parquet", Dataset(path))["formatting"] == "sharegpt"


def test_a_file_that_is_no_parquet(tmp_path: Path) -> None:
    path = tmp_path / "broken.parquet"
    path.write_bytes(b"PAR1 and no more")
    assert "not a readable Parquet file" in only(survey(Dataset(path)).problems).message


def test_parquet_without_pyarrow_names_the_way_out(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", [QA])
    (tmp_path / "pyarrow.py").write_text("raise ImportError('none here')")
    code = (
        "import sys; from pathlib import Path; from ftctl.facts.datasets import scan;"
        "from ftctl.job.model import Dataset; print(*scan(Dataset(Path(sys.argv[1])))[1])"
    )
    environ = {**os.environ, "PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], env=environ, capture_output=True, text=True, check=False
    )
    assert "needs pyarrow" in done.stdout and "install ftctl[parquet]" in done.stdout, done.stderr


def test_text_is_for_pretraining(tmp_path: Path) -> None:
    path = tmp_path / "book.txt"
    path.write_text("One line.\n\nAnd one more.\n")
    assert "only pretraining reads it" in only(survey(Dataset(path), "sft").problems).message
    found = survey(Dataset(path), "pretrain")
    assert found.facts is not None and (found.facts.format, found.facts.rows) == ("text", 3)
    entry = dataset_info_entry(found.facts, "../data/train_0.txt", Dataset(path))
    assert (entry["formatting"], entry["columns"]) == ("alpaca", {"prompt": "text"})
    assert survey(Dataset(jsonl(tmp_path / "t.jsonl", {"text": "x"})), "pretrain").problems == ()
    path.write_bytes(b"good\ncaf\xe9\n")
    problem = only(survey(Dataset(path), "pretrain").problems)
    assert (problem.line, problem.message) == (2, "not UTF-8 text")


@pytest.mark.parametrize(
    ("first", "said"),
    [
        (b"\x1f\x8b\x08\x00", "compressed with gzip"),
        (b"PK\x03\x04", "a zip archive or a spreadsheet"),
        (b"\x28\xb5\x2f\xfd", "compressed with zstd"),
        (b"PAR1", "a Parquet file without the ending .parquet"),
        ('{"text": "x"}'.encode("utf-16"), "UTF-16 text, not UTF-8"),
        ('{"text": "x"}'.encode("utf-16-le"), "UTF-16 text, not UTF-8"),
        ('{"text": "x"}'.encode("utf-16-be"), "UTF-16 text, not UTF-8"),
    ],
)
def test_packed_files_are_named(tmp_path: Path, first: bytes, said: str) -> None:
    path = tmp_path / "data.jsonl"
    path.write_bytes(first + b"\x00" * 32)
    assert said in only(survey(Dataset(path)).problems).message


def test_a_file_of_another_kind_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.tsv"
    path.write_text("instruction\toutput\nHi?\tYes.\n")
    assert "it is separated by tabs" in only(survey(Dataset(path)).problems).message


@pytest.mark.parametrize("blank", ["", " \n"])
def test_empty_answers(tmp_path: Path, blank: str) -> None:
    path = jsonl(tmp_path / "a.jsonl", QA, {**QA, "output": blank})
    problem = only(survey(Dataset(path)).problems)
    assert problem.line == 2 and "the answer is empty" in problem.message
    talk = [{"from": "human", "value": "Hi?"}, {"from": "gpt", "value": blank}]
    path = jsonl(tmp_path / "b.jsonl", {"conversations": talk})
    assert "message 2 of 2: the answer is empty" in only(survey(Dataset(path)).problems).message


def test_rows_that_come_again_are_counted_and_named(tmp_path: Path) -> None:
    rows = [{**QA, "id": number} for number in range(6)]
    other = {"instruction": "Hi?", "input": "", "output": "No."}
    found = survey(Dataset(jsonl(tmp_path / "a.jsonl", *rows, other)))
    warning = only(found.warnings)
    assert (
        "5 rows with the same texts as an earlier one: line 2 is line 1, line 3 is line 1, "
        in warning.message
    )
    assert found.facts is not None and found.facts.duplicates == 5 and found.problems == ()


def test_a_question_is_not_its_input(tmp_path: Path) -> None:
    rows = (
        {"instruction": "a", "input": "b", "output": "c"},
        {"instruction": "", "input": "a", "output": "c"},
    )
    assert survey(Dataset(jsonl(tmp_path / "a.jsonl", *rows))).warnings == ()


def test_train_and_eval_overlap_over_file_kinds(tmp_path: Path) -> None:
    train = Dataset(jsonl(tmp_path / "train.jsonl", {**QA, "id": 1}, {"instruction": "x", "output": "y"}))
    held_out = tmp_path / "eval.csv"
    held_out.write_text("instruction,output\nnew,row\nx,y\n")
    known = [(train.path, survey(train).tally)]
    (warning,) = overlap((held_out, survey(Dataset(held_out)).tally), known, "warn")
    assert warning.file == str(held_out) and warning.line == 3
    assert warning.message == "1 row to evaluate on is in train.jsonl too: line 3 is line 2"
    assert not list(overlap((train.path, Tally()), known, "fail"))


def test_text_that_was_decoded_wrongly(tmp_path: Path) -> None:
    bad = {"instruction": "caf\ufffd?", "output": "\ufffd"}
    warning = only(survey(Dataset(jsonl(tmp_path / "a.jsonl", QA, bad))).warnings)
    assert warning.line == 2 and "1 row with U+FFFD" in warning.message


@pytest.mark.parametrize(
    "text", ['{"instruction": "a", "output": "\\ud83d"}', '[{"instruction": "\\uDE00", "output": "a"}]']
)
def test_half_of_a_surrogate_pair(tmp_path: Path, text: str) -> None:
    path = tmp_path / "half.json"
    path.write_text(text)
    assert "half of a surrogate pair" in only(survey(Dataset(path)).problems).message
    path.write_text(text.replace("\\ud83d", "\\ud83d\\ude00").replace("\\uDE00", "\\uD83D\\uDE00"))
    assert survey(Dataset(path)).problems == ()


def test_reading_is_watched(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", *[{**QA, "input": "x" * (1 << 20)}] * 9)
    seen: list[tuple[Path, int, int]] = []
    survey(Dataset(path), watch=lambda *told: seen.append(told))
    assert [done >> 20 for _, done, _ in seen] == [0, 4, 8]
    assert {(file, total) for file, _, total in seen} == {(path, path.stat().st_size)}


def test_a_tally_of_many_rows_holds_a_few_bytes_each() -> None:
    tally = Tally()
    for number in range(50_000):
        tally.add(number + 1, (str(number % 49_990),), 1)
    assert tally.repeats().total == 10 and tally.complete
    assert tally.repeats().shown[0] == (49_991, 1)
    held = sum(part.itemsize * len(part) for part in (*tally._hashes, *tally._lines))
    assert held == 12 * 50_000


def test_a_survey_of_a_bad_file_has_its_tally(tmp_path: Path) -> None:
    found: Survey = survey(Dataset(jsonl(tmp_path / "a.jsonl", QA, {"instruction": "a"})))
    assert found.facts is None and found.tally.rows == 1
