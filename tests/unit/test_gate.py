"""Rules of a gate: read, held against figures, and told by how much they are missed."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from ftctl.job.load import load
from ftctl.judge.bootstrap import means
from ftctl.judge.gate import Figure, Known, Malformed, judge, parse
from ftctl.judge.measured import Measurement
from ftctl.judge.records import measured_in
from ftctl.judge.verdict import Verdict, missed, verdict

OWN = {
    "exact_match": Figure(0.8, 0.7, 0.9),
    "rougeL": Figure(0.4),
    "latency_p99": Figure(1.5),
    "perplexity": Figure(math.nan),
}
BASE = {"exact_match": Figure(0.7, 0.6, 0.8), "rougeL": Figure(math.nan)}
KNOWN = Known(
    OWN, {"base": BASE, "run:old": "no run called old was measured"}, {"exact_match": Figure(0.1, 0.02, 0.18)}
)


@pytest.mark.parametrize(
    ("key", "text", "by"),
    [
        ("exact_match", ">= 0.75", 0.05),
        ("exact_match", ">= 80%", 0.0),
        ("exact_match", "> 0.8", 0.0),
        ("exact_match", ">= base + 0.05", 0.05),
        ("exact_match", ">=base+0.1", 0.0),
        ("exact_match", ">= base * 1.2", -0.04),
        ("exact_match", ">= base * 110%", 0.03),
        ("exact_match", ">= base", 0.1),
        ("exact_match", ">= base - .05", 0.15),
        ("exact_match.low", ">= 0.75", -0.05),
        ("exact_match.low", ">= base", 0.0),
        ("exact_match.high", "<= 1", 0.1),
        ("exact_match.gain", ">= 0.05", 0.05),
        ("exact_match.gain.low", "> 0", 0.02),
        ("exact_match.gain.high", ">= -1e-1", 0.28),
        ("latency_p99", "<= 2.0", 0.5),
        ("latency_p99", "< 1", -0.5),
    ],
)
def test_a_rule_says_by_how_much_it_is_met_or_missed(key: str, text: str, by: float) -> None:
    ruled = judge(parse(key, text), KNOWN)
    assert ruled.by == pytest.approx(by, abs=1e-9)
    assert ruled.met == (by > 0 or (by == 0 and "=" in text))
    assert ruled.why is None or ruled.why == ""


def test_decimals_are_met_as_they_are_written() -> None:
    known = Known({"f": Figure(0.1 + 0.7)}, {"base": {"f": Figure(0.7)}}, {})
    assert judge(parse("f", ">= 0.8"), known).met
    assert judge(parse("f", ">= base + 0.1"), known).met
    assert judge(parse("f", ">= 0.8"), known).by == 0.0


@pytest.mark.parametrize(
    ("key", "text", "why"),
    [
        ("bleu", ">= 1", "bleu was not measured"),
        ("perplexity", "<= 9", "perplexity came to no number"),
        ("rougeL", ">= base", "base has no rougeL"),
        ("rougeL.low", ">= 0.1", "rougeL has no interval"),
        ("rougeL.gain", ">= 0", "rougeL was not measured"),
        ("exact_match", ">= run:old - 0.01", "no run called old was measured"),
        ("exact_match", ">= run:other", "run:other was not measured"),
    ],
)
def test_what_is_missing_is_never_met_and_says_so(key: str, text: str, why: str) -> None:
    ruled = judge(parse(key, text), KNOWN)
    assert (ruled.met, ruled.bar, ruled.by, ruled.why) == (False, None, None, why)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "at its end a rule begins with"),
        ("0.8", "at '0.8' (character 1) a rule begins with"),
        (">=", "at its end a number, base or run:NAME is wanted"),
        (">= base +", "at its end a number is wanted"),
        (">= base ++ 1", "at '+ 1' (character 10) a number is wanted"),
        (">= base 0.1", "at '0.1' (character 9) +, - or * and a number are wanted"),
        (">= basement", "at 'basement' (character 4) a number, base or run:NAME is wanted"),
        (">= 0.8 or 1", "at 'or 1' (character 8) nothing more is wanted"),
        (">= __import__('os').system('ls')", "(character 4) a number, base"),
        (">= nan", "at 'nan' (character 4)"),
        (">= 1e999", "1e999 is too large a number"),
        (">= --1", "at '-1' (character 5) a number is wanted"),
    ],
)
def test_a_malformed_rule_is_told_with_its_place(text: str, said: str) -> None:
    with pytest.raises(Malformed) as caught:
        parse("exact_match", text)
    assert said in caught.value.message
    assert caught.value.remedy


def test_a_gain_stands_against_a_number_alone() -> None:
    with pytest.raises(Malformed, match="a gain is a difference already"):
        parse("exact_match.gain", ">= base")


def test_an_interval_covers_the_mean_about_as_often_as_it_says() -> None:
    from random import Random

    chance, hit = Random(7), 0
    for _ in range(100):
        figure = means({"x": [float(chance.random() < 0.3) for _ in range(80)]}, resamples=200)["x"]
        assert figure.low is not None
        assert figure.high is not None
        hit += figure.low <= 0.3 <= figure.high
    assert 88 <= hit <= 99


def measurement(name: str, shift: float, test: str = "t") -> Measurement:
    rows = {f"q{number}": {"ndcg@10": (number % 10) / 20 + shift} for number in range(60)}
    return Measurement(name, test, {"ndcg@10": 0.225 + shift}, rows)


def judged(gate: dict[str, str], base: Measurement | str) -> Verdict:
    return verdict(gate, measurement("own", 0.1), lambda name: base)


def test_intervals_and_gains_come_from_the_rows() -> None:
    found = judged(
        {"ndcg@10.low": ">= 0.2", "ndcg@10.gain.low": ">= 0.1", "ndcg@10": ">= base * 2"},
        measurement("base", 0),
    )
    low, gain, double = found.rules
    assert low.met
    assert low.value is not None
    assert 0.25 < low.value < 0.325
    assert gain.value == pytest.approx(0.1)  # paired: each row rose by the same
    assert not double.met
    assert double.bar == pytest.approx(0.45)
    assert not found.met
    assert missed(found) == ["ndcg@10 is 0.325, 0.125 short: >= base * 2 (0.450)"]


def test_figures_of_other_rows_do_not_count() -> None:
    found = judged({"ndcg@10": ">= base", "ndcg@10.gain": "> 0"}, measurement("base", 0, "another"))
    why = "base was measured on other rows, so that its figures say nothing about these"
    assert [rule.why for rule in found.rules] == [why, why]
    assert missed(found)[0] == f"ndcg@10 >= base: {why}"


def test_what_got_no_answer_or_no_score_is_no_bar() -> None:
    gate = {"ndcg@10": ">= base", "ndcg@10.gain": "> 0"}
    failed = replace(measurement("base", 0), flaw="3 of 60 questions got no answer")
    why = "base is no bar: 3 of 60 questions got no answer"
    assert [rule.why for rule in judged(gate, failed).rules] == [why, why]
    unscored = replace(measurement("base", 0), unscored={"ndcg@10": "2 answers were not judged"})
    assert [rule.why for rule in judged(gate, unscored).rules] == [
        "base has no ndcg@10: 2 answers were not judged",
        "ndcg@10 was not measured: 2 answers were not judged",
    ]


@pytest.mark.parametrize(("errors", "allowed", "said"), [(0, 0, ""), (2, 0.1, ""), (3, 0.1, "3 of 20")])
def test_answers_that_are_missing_are_read_with_what_is_allowed(
    tmp_path: Path, errors: int, allowed: float, said: str
) -> None:
    figures = {"figures": {}, "answers": {"asked": 20, "errors": errors}, "unscored": {"judge": "1 was not"}}
    (tmp_path / "figures.json").write_text(json.dumps(figures))
    (tmp_path / "request.json").write_text(json.dumps({"max_errors": allowed}))
    found = measured_in(tmp_path, "base")
    assert found is not None
    assert found.flaw == (f"{said} questions got no answer" if said else "")
    assert found.unscored == {"judge": "1 was not"}


def test_a_model_that_was_not_measured_meets_nothing() -> None:
    found = verdict({"ndcg@10": ">= 0"}, None, lambda name: "never")
    assert [rule.why for rule in found.rules] == ["ndcg@10 was not measured"]
    assert not found.met


def test_a_rule_of_a_figures_part_is_set_on_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text("name: a\nmodel: x/y\ndeploy: {}\nevaluate: {data: rows.jsonl, compare: base}\n")
    (tmp_path / "rows.jsonl").write_text('{"instruction": "a", "output": "b"}\n')
    job = load(file, ("evaluate.gate.exact_match.gain.low=> 0", "evaluate.gate.latency_p99=<= 2"))
    assert job.evaluate is not None
    assert dict(job.evaluate.gate) == {"exact_match.gain.low": "> 0", "latency_p99": "<= 2"}
