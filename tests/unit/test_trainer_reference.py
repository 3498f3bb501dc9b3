"""The step that makes the reference for an embedder's or a reranker's deployments."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ftctl.facts.model import EngineFacts
from ftctl.job.training import Train
from ftctl.plan.model import Plan, RetrievalPlan, TrainPlan
from ftctl.trainers.reference import render_reference
from tests.plans import facts, job

RETRIEVAL = RetrievalPlan(
    "encoder-only-base", "full", 8, 64, 256, 0.02, "mean", True, "query: ", None, False, False
)
RERANKER = replace(RETRIEVAL, pooling=None, normalize=None, temperature=None)


def plan(retrieval: RetrievalPlan | None) -> Plan:
    engine = "flagembedding" if retrieval is not None else "llamafactory"
    decided = TrainPlan(engine, (), 1, 4, 1, 4, 1e-5, "fp32", None, None, retrieval=retrieval)
    known = facts()
    known = replace(known, trainer=EngineFacts(engine, "cpu", Path("/e/bin/python"), installed=True))
    return Plan(job(Train(task="embedding")), known, decided, None, ())


def test_it_asks_for_what_was_trained() -> None:
    step = render_reference(plan(RETRIEVAL))
    assert step is not None
    assert step.argv[0] == "/e/bin/python"
    assert step.argv[2:] == ("native/reference.json", "reference.json")
    assert Path(step.argv[1]).is_file()
    asked = json.loads(step.files["native/reference.json"])
    assert (asked["model"], asked["task"], asked["pooling"]) == ("output", "embedding", "mean")
    assert asked["query_max_length"] == asked["passage_max_length"] == 256
    assert step.env["CUDA_VISIBLE_DEVICES"] == ""


def test_a_reranker_is_asked_for_scores() -> None:
    step = render_reference(plan(RERANKER))
    assert step is not None
    asked = json.loads(step.files["native/reference.json"])
    assert asked["task"] == "reranker"
    assert all(len(pair) == 2 for pair in asked["pairs"])
    assert "texts" not in asked


@pytest.mark.parametrize(
    "retrieval",
    [
        None,
        replace(RETRIEVAL, pooling="last_token"),
        replace(RETRIEVAL, variant="decoder-only-base", pooling="mean"),
        replace(RERANKER, variant="decoder-only-layerwise"),
    ],
)
def test_nothing_is_made_that_could_not_be_compared(retrieval: RetrievalPlan | None) -> None:
    assert render_reference(plan(retrieval)) is None
