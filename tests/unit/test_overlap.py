"""Rows to evaluate on that are trained on too: the same ones in other clothes, and nearly the same ones."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from ftctl.data.overlap import Meeting, Watched
from ftctl.facts.datasets import survey
from ftctl.facts.near import JACCARD, HeldOut, shingles, tokens_of
from ftctl.job.model import Dataset
from tests.conftest import Cli
from tests.dummy_jobs import with_job

LONG = "Please explain to a new colleague how the nightly backup of our billing database is made and restored"


def held(*texts: str) -> HeldOut:
    found = HeldOut()
    for line, text in enumerate(texts, 1):
        found.add(line, [text])
    return found


@pytest.mark.parametrize(
    ("known", "row", "alike"),
    [
        ("What is  it?", "what is it", 1.0),
        ("Ｗhat is “it”!", "WHAT, is: it", 1.0),
        ("今天天气很好。", "今天 天气，很好", 1.0),
        (LONG, LONG.replace("billing", "shipping"), None),
        (f"{LONG} {LONG.upper()} again", f"{LONG} {LONG} once", 0.9),
        ("今天天气很好我们去公园散步吧怎么样啊朋友们", "今天天气很好我们去公园散步吧怎么样啊朋友", 0.94),
        ("今天天气很好我们去公园散步吧", "今天天气很坏我们去公园散步吧", None),
        ("yes", "no", None),
    ],
)
def test_rows_are_the_same_or_nearly_so(known: str, row: str, alike: float | None) -> None:
    found = held("something else entirely", known).find([row])
    if alike is None:
        assert found is None
    else:
        assert found is not None
        assert found.held == 2
        assert found.alike == pytest.approx(alike, abs=0.02)


def test_the_search_finds_what_comparing_every_pair_finds() -> None:
    chance = Random(3)
    rows = [" ".join(chance.choices(list("abcdefg"), k=chance.randrange(1, 16))) for _ in range(500)]
    rows += [f"{LONG} {row} {LONG[::-1]}" for row in rows[:100]]
    known, asked = rows[::2], rows[1::2]
    index, sets = held(*known), [shingles(tokens_of([text])) for text in known]
    hits = 0
    for row in asked:
        own = shingles(tokens_of([row]))
        best = max(len(own & other) / len(own | other) for other in sets)
        found = index.find([row])
        hits += found is not None
        assert (found is not None) == (best >= JACCARD), row
        assert found is None or found.alike >= JACCARD
    assert 20 < hits < len(asked)


def write(path: Path, rows: list[dict[str, str]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_system_prompt_makes_no_rows_alike(tmp_path: Path) -> None:
    system = " ".join(f"rule {number} of many" for number in range(200))
    train = [{"system": system, "instruction": f"Ask {n}", "output": f"Say {n}"} for n in range(5)]
    test = [{"system": system, "instruction": "Ask 9", "output": "Say 9"}]
    meeting = Meeting([Watched(Dataset(write(tmp_path / "test.jsonl", test)))])
    survey(Dataset(write(tmp_path / "train.jsonl", train)), spoken=meeting.see)
    assert list(meeting.problems(tmp_path / "train.jsonl", "fail")) == []


def test_what_is_said_of_it(ftctl: Cli) -> None:
    cli = with_job(ftctl)
    rows = [{"instruction": f"{LONG}, case {n}", "output": f"{LONG[::-1]} {n}"} for n in range(3)]
    write(cli.cwd / "rows.jsonl", [*rows, {"instruction": "other", "output": "rows"}])
    write(cli.cwd / "test.jsonl", [{"instruction": "new", "output": "row"}, rows[1]])
    write(
        cli.cwd / "ask.jsonl",
        [{"instruction": rows[2]["instruction"], "output": rows[2]["output"] + " more"}],
    )
    more = ("--set", "deploy={}", "--set", "data.test=test.jsonl", "--set", "evaluate.data=ask.jsonl")
    said = cli("validate", "job.yaml", *more, code=2).err
    assert "test.jsonl:2:1: data.overlap: 1 row to evaluate on is in rows.jsonl too: line 2 is line 2" in said
    assert "ask.jsonl:1:1: data.overlap: 1 row to evaluate on is nearly in rows.jsonl: line 1 is 9" in said
    assert "with data.overlap: warn they stay" in said
    assert "warning: 1 row" in cli("validate", "job.yaml", *more, "--set", "data.overlap=warn", code=0).err
    assert cli("validate", "job.yaml", *more, "--set", "data.overlap=allow", code=0).err == ""
    wrong = cli("validate", "job.yaml", *more, "--set", "data.overlap=fial", code=2).err
    assert "to evaluate on" not in wrong  # which of them is meant is not known
