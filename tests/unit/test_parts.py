"""Rows that are held out of training files: which ones, how many, and that they are nowhere else."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from ftctl.data.part import Source, Split, lines, read, write
from ftctl.errors import FtctlError
from ftctl.plan.parts import shared
from ftctl.run.directory import RunDir
from tests.conftest import Cli
from tests.dummy_jobs import only_run, train, with_job

COLUMNS = {"prompt": "instruction", "response": "output", "query": "input"}
WORDS = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"


def source(path: Path, rows: list[dict[str, str]], number: int = 0, **more: Any) -> Source:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    held_out = more.pop("held_out", {"eval": 10, "test": 20})
    to = {side: f"data/{side}_{number}.jsonl" for side in ("train", *held_out)}
    return Source(path, "alpaca", COLUMNS, {}, more.pop("take", None), held_out, to)


def qa(number: int, **more: str) -> dict[str, str]:
    return {"id": str(number), "instruction": f"Question {number}?", "output": f"{number * 7919}.", **more}


def parts(folder: Path, *sides: str) -> list[list[str]]:
    """What is asked in every row of each side."""
    return [
        [json.loads(line)["instruction"] for line in file.read_text().splitlines()]
        for side in sides
        for file in sorted((folder / "data").glob(f"{side}_*.jsonl"))
    ]


def test_parts_are_disjoint_whole_and_the_same_every_time(tmp_path: Path) -> None:
    one = source(tmp_path / "a.jsonl", [qa(number) for number in range(200)])
    record = write(Split(42, "fail", (one,)), tmp_path / "first")
    train_, eval_, test = parts(tmp_path / "first", "train", "eval", "test")
    assert (len(train_), len(eval_), len(test)) == (170, 10, 20)
    assert len({*train_, *eval_, *test}) == 200
    assert train_ == sorted(train_, key=lambda text: int(text[9:-1]))  # rows keep their order
    written = (tmp_path / "first/data/eval_0.jsonl").read_bytes()
    assert record["parts"]["eval"] == {"rows": 10, "sha256": sha256(written).hexdigest()}
    assert json.loads(written.splitlines()[0]).keys() == {"instruction", "output", "input"}
    assert write(Split(42, "fail", (one,)), tmp_path / "again") == record
    # Other rows in other places change nothing for these: what a row says decides.
    assert write(Split(7, "fail", (one,)), tmp_path / "other")["parts"]["eval"] != record["parts"]["eval"]
    assert lines(record) == ["170 rows to train on, 10 rows to evaluate on, 20 rows to test, by seed 42"]


def test_rows_that_say_the_same_are_in_one_part(tmp_path: Path) -> None:
    rows = [qa(number % 40, id=str(number)) for number in range(200)]
    again = [qa(number, instruction=f"question   {number}") for number in range(40)]
    first = source(tmp_path / "a.jsonl", rows)
    other = source(tmp_path / "b.jsonl", [*again, qa(500), qa(501)], 1, held_out={"eval": 1, "test": 1})
    record = write(Split(42, "fail", (first, other)), tmp_path)
    sides = [
        {text.casefold().replace("   ", " ").rstrip("?") for text in [*one, *two]}
        for one, two in (parts(tmp_path, side) for side in ("train", "eval", "test"))
    ]
    assert not sides[0] & sides[1]
    assert not sides[0] & sides[2]
    assert record["near_left_out"] > 0
    kept = write(Split(42, "allow", (first, other)), tmp_path / "kept")
    assert kept["near_left_out"] == 0
    assert kept["parts"]["train"]["rows"] == record["parts"]["train"]["rows"] + record["near_left_out"]


def test_nearly_the_same_rows_are_left_out_of_training(tmp_path: Path) -> None:
    rows = [
        {"instruction": f"{WORDS} {n} {WORDS.upper()[::-1]}", "output": f"{WORDS} {n}"} for n in range(30)
    ]
    one = source(tmp_path / "a.jsonl", [*rows, *(qa(n) for n in range(100))], held_out={"eval": 5, "test": 5})
    record = write(Split(1, "fail", (one,)), tmp_path)
    held = [text for side in parts(tmp_path, "eval", "test") for text in side if text.startswith("one")]
    assert held
    assert not [text for text in parts(tmp_path, "train")[0] if text.startswith("one")]
    assert record["near_left_out"] == 30 - len(held)
    assert lines(record)[1].endswith("left out, the same as held-out rows or nearly")


def test_some_rows_of_a_file_are_taken_and_none_may_be_left(tmp_path: Path) -> None:
    one = source(tmp_path / "a.jsonl", [qa(n) for n in range(100)], take=50, held_out={"test": 5})
    assert write(Split(42, "fail", (one,)), tmp_path)["parts"]["train"]["rows"] == 45
    same = source(tmp_path / "b.jsonl", [qa(1) for _ in range(20)], held_out={"test": 5})
    with pytest.raises(FtctlError, match=r"no rows that could be held out \(data.test\)"):
        write(Split(42, "fail", (same,)), tmp_path / "same")


def test_shares_and_counts() -> None:
    assert shared([100, 10, 3], 0.07) == (7, 1, 1)
    assert shared([90, 10], 10) == (9, 1)
    assert shared([50, 50], 5) == (3, 2)
    assert shared([1000, 2], 4) == (3, 1)
    assert shared([5], None) == (0,)


def test_a_job_with_shares(ftctl: Cli) -> None:
    cli = with_job(ftctl)
    train(cli, "data.eval=0.1", "data.test=8", "train.seed=3")
    run: RunDir = only_run(cli)
    record = run.read_json("data/split.json")
    assert {side: part["rows"] for side, part in record["parts"].items()} == {
        "train": 71,
        "eval": 9,
        "test": 8,
    }
    assert [event.data["message"] for event in run.events() if event.kind == "data"] == lines(record)
    begin = next(event for event in run.events() if event.kind == "begin")
    assert begin.data["total_steps"] == 9  # 71 rows in batches of 8
    assert write(read(run.path / "native/split.json"), cli.cwd / "again") == record
    refused = train(cli, "data.eval=0.5", "data.test=44", code=2).err
    assert "88 of the 88 rows are held out, which leaves none to train on" in refused
