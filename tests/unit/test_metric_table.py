"""The table of metrics, and how a job asks for them."""

from __future__ import annotations

from typing import Any

import pytest

from ftctl.judge.asked import files_of, read_metrics
from ftctl.judge.metric import REQUIRED
from ftctl.judge.metrics import METRICS, SPEED, Asked, figures_of
from ftctl.judge.reference import reference
from tests.conftest import ROOT

GIVEN: dict[str, Any] = {
    "regex": {"pattern": "a+"},
    "json_schema": {"file": "s.json"},
    "python": {"function": "check.py:ok"},
    "judge": {"model": "m", "base_url": "http://127.0.0.1:1/v1", "rubric": "r.md"},
}


def only(given: Any) -> Asked:
    (asked,), wrong = read_metrics([given])
    assert wrong == ()
    return asked


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_can_be_asked_for_by_what_it_needs_alone(name: str) -> None:
    asked = only({name: GIVEN[name]} if name in GIVEN else name)
    assert {option.name for option in METRICS[name].options} == set(asked.options)
    assert REQUIRED not in asked.options.values()


def test_no_two_metrics_give_figures_of_one_name() -> None:
    names = [figure for metric in METRICS.values() for figure in metric.figures]
    assert len(names) == len(set(names))
    assert not set(names) & set(SPEED)


def test_options_are_filled_in_and_several_are_always_a_tuple() -> None:
    assert only({"exact_match": {"normalise": "squad"}}).options == {"normalise": ("squad",)}
    assert only({"rouge": {"tokenizer": "jieba"}}).options == {"tokenizer": "jieba", "stem": False}
    assert only({"bleu": None}).options["tokenizer"] == "13a"


def test_a_name_of_its_own_goes_to_its_figures() -> None:
    assert only({"exact_match": {"as": "same"}}).figures == {"exact_match": "same"}
    assert only({"rouge": {"as": "zh"}}).figures["rougeL"] == "zh_rougeL"
    asked, wrong = read_metrics(["exact_match", {"exact_match": {"as": "squad", "normalise": "squad"}}])
    assert wrong == ()
    assert {"exact_match", "squad", "latency_p99"} <= figures_of(asked).keys()
    assert figures_of((only("perplexity"),))["perplexity"] == "lower"


def test_files_are_named_by_their_option() -> None:
    assert files_of(only({"python": GIVEN["python"]})) == {"function": "check.py"}
    assert files_of(only({"judge": GIVEN["judge"]})) == {"rubric": "r.md"}
    assert files_of(only("exact_match")) == {}


@pytest.mark.parametrize(
    ("given", "path", "said"),
    [
        ("exact_match", (), "this must be a list of metrics"),
        (["rogue"], (0,), "there is no metric 'rogue'; did you mean rouge?"),
        ([3], (0,), "there is no metric 3"),
        ([{"bleu": {}, "chrf": {}}], (0,), "there is no metric {"),
        ([{"bleu": "zh"}], (0, "bleu"), "the options must be a mapping"),
        ([{"bleu": {"tokeniser": "zh"}}], (0, "bleu", "tokeniser"), "did you mean tokenizer?"),
        ([{"json_valid": {"x": 1}}], (0, "json_valid", "x"), "its options are fenced"),
        ([{"bleu": {"tokenizer": "en"}}], (0, "bleu", "tokenizer"), "this must be one of 13a, zh"),
        ([{"bleu": {"order": 0}}], (0, "bleu", "order"), "a whole number of 1 or more"),
        ([{"bleu": {"order": True}}], (0, "bleu", "order"), "a whole number of 1 or more"),
        ([{"bleu": {"lowercase": 1}}], (0, "bleu", "lowercase"), "true or false"),
        (["regex"], (0, "regex"), "regex needs pattern"),
        ([{"regex": {"pattern": "(a"}}], (0, "regex", "pattern"), "no regular expression"),
        ([{"regex": {"pattern": "a", "timeout": 0}}], (0, "regex", "timeout"), "0.01 or more"),
        ([{"exact_match": {"normalise": ["strip", "x"]}}], (0, "exact_match", "normalise"), "one of none"),
        ([{"contains": {"text": []}}], (0, "contains", "text"), "a text or a list"),
        ([{"python": {"function": "ok"}}], (0, "python", "function"), "as check.py:ok"),
        ([{"judge": {**GIVEN["judge"], "api_key": "sk-1"}}], (0, "judge", "api_key"), "${env:MY_KEY}"),
        ([{"judge": {**GIVEN["judge"], "base_url": "x"}}], (0, "judge", "base_url"), "begins with http"),
        ([{"judge": {**GIVEN["judge"], "scale": [5, 1]}}], (0, "judge", "scale"), "the lower one first"),
        ([{"bleu": {"as": "a b"}}], (0, "bleu", "as"), "this is no name"),
        (["bleu", "bleu"], (1,), "two figures are called bleu; give one another name"),
        ([{"bleu": {"as": "latency_p50"}}], (0,), "two figures are called latency_p50"),
    ],
)
def test_what_cannot_be_right_is_told_with_its_place(given: Any, path: tuple[Any, ...], said: str) -> None:
    _, wrong = read_metrics(given)
    assert [one.path for one in wrong] == [path]
    assert said in f"{wrong[0].message}; {wrong[0].remedy}"
    assert "sk-1" not in repr(wrong)


def test_the_page_is_made_from_the_table() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert page == reference(), "run: python -m ftctl.judge.reference"
