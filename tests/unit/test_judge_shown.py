"""What was measured as a table, in the run's record, and in the events."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ftctl.events import Event
from ftctl.judge.model import Evaluation, Measured, difference
from ftctl.run.directory import RunDir
from ftctl.view.comparison import as_data, comparison, evaluation_of
from ftctl.view.evaluated import evaluated
from ftctl.view.progress import sentence
from tests.conftest import Cli

BASE = Measured("/base", {"recall@1": 0.32, "ndcg@10": 0.5604}, {}, {}, "b", 14.0)
TUNED = Measured("/run/output", {"recall@1": 0.52, "ndcg@10": 0.5104}, {}, {}, "t", 0.7)
WHOLE = Evaluation("embedding", 75, 90, "hash", base=BASE, tuned=TUNED, difference=difference(BASE, TUNED))


def test_the_table_has_base_tuned_and_difference() -> None:
    assert comparison(WHOLE).splitlines() == [
        "             base  tuned  difference",
        "  Recall@1  0.320  0.520      +0.200",
        "  nDCG@10   0.560  0.510      -0.050",
        "  75 held-out queries among 90 passages, through the served endpoint",
    ]


def test_what_does_not_change_has_no_minus() -> None:
    same = replace(WHOLE, difference={"recall@1": -1e-9, "ndcg@10": 1e-9})
    assert comparison(same).count("+0.000") == 2


def test_without_a_base_the_table_says_why() -> None:
    alone = replace(WHOLE, base=None, difference=difference(None, TUNED), note="it has no head that scores")
    shown = comparison(alone)
    assert "base  " not in shown
    assert "0.520" in shown
    assert "the base model is not measured: it has no head that scores" in shown


def test_reused_figures_and_queries_that_were_trained_on_are_said() -> None:
    shown = comparison(replace(WHOLE, base=replace(BASE, reused_from="20260101-abcd"), seen_in_training=3))
    assert "the base model's figures are those of run 20260101-abcd" in shown
    assert "3 of these queries were also trained on" in shown


def test_a_rerankers_queries_are_told_from_their_own_rows() -> None:
    assert "among the passages of each query's own row" in comparison(replace(WHOLE, task="reranker"))


def test_the_record_of_a_run_is_read_back(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    assert evaluation_of(run) is None
    run.write_json("evaluation.json", replace(WHOLE, tuned=None, difference={}))
    assert evaluation_of(run) is None  # its own model is not measured yet
    run.write_json("evaluation.json", {"version": 1, **as_record(run)})
    assert evaluation_of(run) == WHOLE


def as_record(run: RunDir) -> dict[str, object]:
    run.write_json("whole.json", WHOLE)
    value: dict[str, object] = run.read_json("whole.json")
    return value


def test_a_programs_figures_are_exact() -> None:
    data = as_data(WHOLE)
    assert data["tuned"] == {"recall@1": 0.52, "ndcg@10": 0.5104}
    assert data["difference"]["ndcg@10"] == pytest.approx(-0.05)


def test_events_read_as_sentences() -> None:
    verdict = {"queries": 75, "base": dict(BASE.figures), "tuned": dict(TUNED.figures)}
    said = sentence(Event("verdict", 0.0, verdict))
    assert said == "measured on 75 held-out queries: nDCG@10 0.510, of the base model 0.560"
    alone = sentence(Event("verdict", 0.0, {**verdict, "base": None}))
    assert alone == "measured on 75 held-out queries: nDCG@10 0.510"
    told = {"model": "base", "done": 32, "total": 150}
    assert sentence(Event("judging", 0.0, told)) == "measuring base: 32 of 150"
    told = {"model": "base", "detail": "loading the weights"}
    assert sentence(Event("judging", 0.0, told)) == "measuring base: loading the weights"


def test_runs_list_what_was_measured(ftctl: Cli) -> None:
    for name, evaluation in (("with", WHOLE), ("without", None)):
        run = RunDir(ftctl.cwd / "runs" / name / "20260101-120000-abcd")
        run.write_json("run.json", {"name": name, "id": run.path.name, "created": 1.0})
        if evaluation is not None:
            run.write_json("evaluation.json", evaluation)
    listed = ftctl("runs", "--json", code=0).data["runs"]
    found = {run["name"]: run["evaluation"] for run in listed}
    figures = {"base": dict(BASE.figures), "tuned": dict(TUNED.figures)}
    assert found == {"with": figures, "without": None}
    shown = ftctl("runs", code=0).out
    assert "nDCG@10" in shown
    assert "0.560 → 0.510" in shown


def test_a_list_of_runs_names_the_figure_where_they_are_not_all_of_retrieval(ftctl: Cli) -> None:
    for name, figures in (("one", {"exact_match": 0.75}), ("other", {"ndcg@10": 0.5})):
        run = RunDir(ftctl.cwd / "runs" / name / "20260101-120000-abcd")
        run.write_json("run.json", {"name": name, "id": run.path.name, "created": 1.0})
        run.write_json("evaluation.json", {"tuned": {"figures": figures}})
    shown = ftctl("runs", code=0).out
    assert "exact_match 0.750" in shown
    assert "ndcg@10 0.500" in shown
    assert shown.splitlines()[0].endswith("measured")


def test_a_figure_that_is_missing_is_told_with_its_reason(tmp_path: Path) -> None:
    found = {"figures": {}, "missing": {"exact_match": "no row has a reference", "perplexity": "p: failed"}}
    RunDir(tmp_path).write_json("tuned/figures.json", {**found, "notes": ["p: failed"]})
    assert evaluated(tmp_path).splitlines()[-2:] == [
        "  no exact_match: no row has a reference",
        "  p: failed",
    ]
