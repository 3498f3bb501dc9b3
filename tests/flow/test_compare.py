"""`ftctl compare`: runs that were measured, runs that were not, and answers that write on terminals."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ftctl.judge.comparing import beside
from ftctl.judge.measured import Measurement
from ftctl.run.directory import RunDir
from tests.conftest import Cli
from tests.dummy_jobs import train, with_job


def measured(name: str, scores: list[float], **more: Any) -> Measurement:
    rows = {f"r{number}": {"exact_match": score} for number, score in enumerate(scores)}
    return Measurement(name, "t", {"exact_match": sum(scores) / len(scores)}, rows, **more)


def test_pairs_are_counted_and_the_most_changed_come_first() -> None:
    first, other = measured("a", [0, 0, 0, 1, 0.5]), measured("b", [1, 0, 1, 0, 0.5])
    found = beside(first, other, shown=2)
    paired = found.paired["exact_match"]
    assert (paired.wins, paired.losses, paired.ties) == (2, 1, 2)
    assert paired.difference.value == pytest.approx(0.2)
    assert paired.difference.low is not None
    assert paired.difference.low < 0.2
    assert [(change.row, change.by) for change in found.changed] == [("r0", 1), ("r3", -1)]


def test_of_what_less_is_better_of_a_fall_is_a_win() -> None:
    lower = frozenset({"exact_match"})
    paired = beside(measured("a", [2, 2], lower=lower), measured("b", [1, 1], lower=lower)).paired
    assert (paired["exact_match"].wins, paired["exact_match"].losses) == (2, 0)


def test_a_figure_that_is_no_mean_has_no_interval_drawn_from_its_rows() -> None:
    one = Measurement("a", "t", {"bleu": 30.0}, {"r0": {"bleu": 10.0}, "r1": {"bleu": 20.0}})
    other = Measurement("b", "t", {"bleu": 33.0}, {"r0": {"bleu": 12.0}, "r1": {"bleu": 20.0}})
    paired = beside(one, other).paired["bleu"]
    assert paired.difference == (3.0, None, None)
    assert (paired.wins, paired.losses, paired.ties) == (1, 0, 1)


def test_other_rows_are_not_paired() -> None:
    found = beside(measured("a", [1]), Measurement("b", "another", {"exact_match": 1.0}))
    assert (found.paired, found.why[:22]) == ({}, "measured on other rows")
    failed = replace(measured("b", [1]), flaw="1 of 1 questions got no answer")
    why = "not paired: of b 1 of 1 questions got no answer"
    assert (beside(measured("a", [1]), failed).why, beside(failed, measured("a", [1])).why) == (why, why)


EVIL = "\x1b[2J\x1b]0;owned\x07 right\u202e\r\n[bold]second[/bold] line"


def evaluated(run: Path, model: str, scores: list[float], answer: str) -> None:
    """What an evaluation of answers leaves."""
    folder = RunDir(run / "evaluations" / model)
    value = sum(scores) / len(scores)
    figure = {"value": value, "low": value - 0.1, "high": value + 0.1, "better": "higher"}
    folder.write_json("figures.json", {"version": 1, "figures": {"exact_match": figure}})
    folder.write_json("request.json", {"version": 1, "digest": "d"})
    rows = [f"t:{number}" for number in range(len(scores))]
    lines = [{"id": row, "scores": {"exact_match": score}} for row, score in zip(rows, scores, strict=True)]
    folder.write("scores.jsonl", "".join(json.dumps(line) + "\n" for line in lines) + '{"id": "torn')
    asked = [{"role": "system", "content": "s"}, {"role": "user", "content": "What is it?"}]
    said = [
        {"id": row, "prompt": asked, "reference": "right", "prediction": answer, "error": None}
        for row in rows
    ]
    folder.write("predictions.jsonl", "".join(json.dumps(line) + "\n" for line in said))


@pytest.fixture
def runs(ftctl: Cli) -> tuple[Cli, Path, Path]:
    cli = with_job(ftctl)
    train(cli)
    (one,) = (cli.cwd / "runs" / "tested").iterdir()
    train(cli, "train.learning_rate=3e-5", "train.seed=7")
    (other,) = {*(cli.cwd / "runs" / "tested").iterdir()} - {one}  # ids of one second are in no order
    return cli, one, other


def test_runs_side_by_side_and_one_beside_its_base(runs: tuple[Cli, Path, Path]) -> None:
    cli, one, other = runs
    shown = cli("compare", one, other, code=0).out
    assert "nothing was measured" in shown
    assert f"tested {one.name} was not measured" in shown
    assert [line.split() for line in shown.splitlines() if "train.seed" in line] == [
        ["train.seed", "42", "7"]
    ]
    assert "3e-05" in shown
    assert [line for line in shown.splitlines() if line.strip().startswith("loss ")]
    evaluated(one, "tuned", [0, 0, 1, 0], "wrong")
    evaluated(other, "tuned", [1, 1, 0, 0], EVIL)
    evaluated(one, "base", [0, 0, 0, 0], "base")
    shown = cli("compare", one, other, "--examples", "2", code=0).out
    assert "0.250 [0.150, 0.350]" in shown
    assert "+0.250 [" in shown
    (line,) = [line.split() for line in shown.splitlines() if line.startswith("exact_match  +")]
    assert line[-3:] == ["2", "1", "1"]
    assert "asked: What is it?" in shown
    assert "wanted: right" in shown
    assert "\\x1b[2J\\x1b]0;owned\\x07 right\\u202e" in shown
    assert "[bold]second[/bold] line" in shown
    assert not set(shown) & {"\x1b", "\x07", "\u202e", "\r"}
    found = cli("compare", one, other, "--json", code=0).data
    (pair,) = found["beside_the_first"]
    assert pair["paired"]["exact_match"]["wins"] == 2
    assert {change["row"] for change in pair["changed"]} == {"t:0", "t:1", "t:2"}
    assert pair["changed"][0]["said"][1]["answer"] == EVIL
    assert found["subjects"][0]["figures"]["exact_match"] == {"value": 0.25, "low": 0.15, "high": 0.35}
    evaluated(one, "tuned", [1, 0, 0, 0], "better")
    found = cli("compare", one, "--json", code=0).data
    assert [subject["model"] for subject in found["subjects"]] == ["base", "tuned"]
    assert found["beside_the_first"][0]["paired"]["exact_match"]["difference"]["value"] == 0.25
    assert found["differs"] == []
    pair = {"a": 0.0, "b": 0.25, "difference": 0.25, "low": 0.01, "high": 0.75}
    record = {"a": {"name": "base"}, "b": {"name": "tuned"}, "paired": {"exact_match": pair}}
    (one / "evaluations" / "comparison.json").write_text(json.dumps(record))
    (shown_pair,) = cli("compare", one, "--json", code=0).data["beside_the_first"]
    recorded = {"value": 0.25, "low": 0.01, "high": 0.75}  # what the run says of itself everywhere
    assert shown_pair["paired"]["exact_match"]["difference"] == recorded
    cli("compare", one, "--metric", "rougeL", code=2)
    cli("compare", "nobody", code=2)
