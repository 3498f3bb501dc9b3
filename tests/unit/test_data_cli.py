"""`ftctl data` on the command line."""

from __future__ import annotations

import json

from tests.conftest import Cli
from tests.model_files import write_model
from tests.tokenizer_files import plain_count, write_tokenizer

ROWS = [{"instruction": f"Question {number}?", "output": "An answer."} for number in range(5)]


def write(cli: Cli, name: str, rows: list[dict[str, str]]) -> None:
    (cli.cwd / name).write_text("".join(json.dumps(row) + "\n" for row in rows))


def job(cli: Cli, **train: object) -> None:
    write_tokenizer(write_model(cli.cwd / "model"))
    block = {"method": "full", "batch_size": 1, **train}
    data = {"train": "train.jsonl", "eval": "eval.jsonl"}
    text = json.dumps(
        {"name": "x", "model": "./model", "data": data, "train": block, "resources": {"gpus": 0}}
    )
    (cli.cwd / "job.yaml").write_text(text)


def test_check_names_what_is_wrong_and_what_is_odd(ftctl: Cli) -> None:
    write(ftctl, "good.jsonl", [*ROWS, ROWS[1]])
    good = ftctl("data", "check", "good.jsonl", code=0)
    assert good.out == "good.jsonl: good (6 rows, alpaca, jsonl)\n"
    assert good.err.startswith("good.jsonl:6:1: warning: 1 row with the same texts as an earlier one")
    write(ftctl, "bad.jsonl", [*ROWS, {"instruction": "a"}, {**ROWS[0], "output": ""}])
    bad = ftctl("data", "check", "good.jsonl", "bad.jsonl", code=2)
    assert (
        "bad.jsonl:6:1: the answer is missing" in bad.err and "bad.jsonl:7:1: the answer is empty" in bad.err
    )
    as_json = ftctl("data", "check", "bad.jsonl", "--json", code=2).envelope
    assert [problem["line"] for problem in as_json["problems"]] == [6, 7]


def test_stats_of_a_job(ftctl: Cli) -> None:
    write(ftctl, "train.jsonl", ROWS)
    write(ftctl, "eval.jsonl", [ROWS[3], {"instruction": "New?", "output": "Yes."}])
    job(ftctl, max_length=8)
    data = ftctl("data", "stats", "job.yaml", "--json", code=0).data
    train, held_out = data["files"]
    assert (train["rows"], train["turns"], train["held_out"], held_out["held_out"]) == (5, 5, False, True)
    folder = ftctl.cwd / "model"
    lengths = [sum(plain_count(folder, text) for text in row.values()) for row in ROWS]
    assert train["tokens"]["tokens"] == sum(lengths) and train["tokens"]["percentiles"]["100"] == max(lengths)
    assert (train["tokens"]["max_length"], train["tokens"]["cut"], train["tokens"]["sampled"]) == (
        8,
        1.0,
        False,
    )
    assert "1 row to evaluate on is in train.jsonl too" in data["warnings"][0]["message"]
    shown = ftctl("data", "stats", "job.yaml", code=0)
    assert "cut by 8 tokens" in shown.out and "100 %" in shown.out


def test_stats_without_a_model_say_what_is_missing(ftctl: Cli) -> None:
    write(ftctl, "train.jsonl", ROWS)
    assert "not counted: --model names a tokenizer" in ftctl("data", "stats", "train.jsonl", code=0).out
    (ftctl.cwd / "empty").mkdir()
    answer = ftctl("data", "stats", "train.jsonl", "--model", "empty", code=2)
    assert "it has no tokenizer.json" in answer.err


def test_a_job_stands_alone(ftctl: Cli) -> None:
    write(ftctl, "train.jsonl", ROWS)
    job(ftctl)
    answer = ftctl("data", "check", "job.yaml", "train.jsonl", code=2)
    assert "job.yaml is a job and not the only file" in answer.err


def test_offline_is_respected(ftctl: Cli) -> None:
    write(ftctl, "train.jsonl", ROWS)
    write(ftctl, "eval.jsonl", [{"instruction": "New?", "output": "Yes."}])
    job(ftctl)
    ftctl("validate", "job.yaml", "--set", "model=org/name", code=0)
    for verb in ("validate", "plan", "train"):
        answer = ftctl(verb, "job.yaml", "--set", "model=org/name", "--offline", code=2)
        assert "org/name is not in the local cache" in answer.err


def test_warnings_do_not_stop_a_job(ftctl: Cli) -> None:
    write(ftctl, "train.jsonl", [*ROWS, ROWS[0]])
    write(ftctl, "eval.jsonl", [ROWS[3]])
    job(ftctl, max_length=8)
    refused = ftctl("validate", "job.yaml", code=2).err
    assert "eval.jsonl:1:1: data.overlap: 1 row to evaluate on is in train.jsonl too: line 1 is" in refused
    ftctl("data", "check", "job.yaml", code=2)
    answer = ftctl("validate", "job.yaml", "--set", "data.overlap=warn", code=0)
    assert "valid (sft, full" in answer.out
    assert (
        "1 row with the same texts" in answer.err and "1 row to evaluate on is in train.jsonl" in answer.err
    )
    assert "are longer than its 8 tokens and will be cut" in answer.err
    assert answer.err.splitlines()[-1] == "ftctl: 3 warnings"
    allowed = ftctl("validate", "job.yaml", "--set", "data.overlap=allow", code=0)
    assert "to evaluate on" not in allowed.err
    planned = ftctl("plan", "job.yaml", "--gpus", "0", "--set", "data.overlap=warn", code=0)
    assert "warning: 1 row with the same texts" in planned.err
