"""Embedders and rerankers through `ftctl train`: converted, trained, compared, and served as trained."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from ftctl.process import session_members
from tests.conftest import TRAIN_TIMEOUT
from tests.e2e.conftest import START_TIMEOUT
from tests.e2e.retrieval import (
    INSTRUCTION,
    ROWS,
    SERVER,
    SHORT,
    Bench,
    Ran,
    assert_scores_as_trained,
    assert_vectors_as_trained,
    files_with_the_token,
    make_bench,
    same_over_every_route,
    served,
)

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, flagembedding_python: Path) -> Bench:
    return make_bench(flagembedding_python, tmp_path_factory)


@pytest.fixture(autouse=True)
def nothing_is_left(bench: Bench) -> Iterator[None]:
    """What a test serves is stopped after it, so that `ps` tells of one deployment at most."""
    yield
    bench.cli("stop", "--all", timeout=120)


@pytest.fixture(scope="module")
def embedder(bench: Bench, minilm: Path) -> Ran:
    """MiniLM trained and served as `embedder`."""
    train = {**SHORT, "task": "embedding", "query_max_length": 32, "passage_max_length": 48}
    return bench.train("embedder", minilm, train=train, deploy=SERVER)


def test_an_embedder_on_minilm(bench: Bench, embedder: Ran) -> None:
    assert embedder.phases() == ["train", "reference", "collect", "serve"]
    assert len(embedder.losses) == 4
    found = served(bench.cli, "embedder")
    assert_vectors_as_trained(found)
    assert [len(vector) for vector in found.vectors(["the river"])] == [384]


def test_wrong_pooling_fails_the_deployment_of_a_run(bench: Bench, embedder: Ran) -> None:
    wrong = ("--set", "native.pooler_config={pooling_type: CLS}")
    answer = bench.cli("deploy", embedder.directory, *wrong, "--json", timeout=START_TIMEOUT, code=1)
    error = answer.envelope["error"]
    assert "under 0.999" in error["message"]
    assert (
        "vLLM pools by CLS (deploy.native.pooler_config) and the model was trained with MEAN"
        in (error["message"])
    )
    assert "take pooler_config out" in error["remedy"]
    (shown,) = bench.cli("ps", "--json", code=0).data["deployments"]
    assert shown["state"] == "failed" and "under 0.999" in shown["why"]
    assert session_members(shown["pid"]) == ()


def test_m3_on_a_small_xlm_roberta(bench: Bench) -> None:
    train = {**SHORT, "task": "embedding", "native": {"unified_finetuning": True}}
    ran = bench.train("m3", "m3", train=train, deploy=SERVER)
    assert (ran.directory / "output" / "colbert_linear.pt").is_file()
    assert_vectors_as_trained(served(bench.cli, "m3"))


def test_an_embedder_on_a_small_qwen_from_triplets_in_a_table(bench: Bench) -> None:
    """Without a terminal: every step is told by its name, and at the end how a query is sent."""
    with open(bench.folder / "triplets.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["anchor", "positive", "negative"])
        table.writerows((row["query"], row["pos"][0], row["neg"][0]) for row in ROWS)
    train = {**SHORT, "task": "embedding", "train_group_size": 2, "query_instruction": INSTRUCTION}
    data = {"train": str(bench.folder / "triplets.csv")}
    job = bench.job("qwen", "decoder", data=data, train=train, deploy=SERVER)
    answer = bench.cli("train", job, timeout=TRAIN_TIMEOUT, code=0)
    lines = answer.err.splitlines()
    told = [line.partition(":")[0] for line in lines if ": done in" in line]
    assert told == ["convert", "train", "reference", "collect", "serve"]
    ran = Ran.of(bench, "qwen", {})
    assert (ran.directory / "output" / "merged_model" / "1_Pooling" / "config.json").is_file()
    found = served(bench.cli, "qwen")
    assert_vectors_as_trained(found)
    assert found.data["query_prompt"] == INSTRUCTION


def test_a_cross_encoder_learns_which_passage_answers(bench: Bench) -> None:
    train = {
        "task": "reranker",
        "epochs": 12,
        "batch_size": 13,
        "train_group_size": 6,
        "learning_rate": 1e-3,
        "query_max_length": 32,
        "passage_max_length": 32,
        "checkpoints": {"every": "never"},
    }
    ran = bench.train("cross", "cross-encoder", train=train, deploy=SERVER)
    assert ran.losses[-1] < 0.5 * ran.losses[0]
    found = served(bench.cli, "cross")
    assert_scores_as_trained(found)
    assert found.ranked_first(ROWS) > 0.9  # of six passages each
    same_over_every_route(found)


def test_a_reranker_on_a_small_qwen(bench: Bench) -> None:
    ran = bench.train("scorer", "decoder", train={**SHORT, "task": "reranker"}, deploy=SERVER)
    assert len(ran.losses) == 4
    found = served(bench.cli, "scorer")
    assert_scores_as_trained(found)
    same_over_every_route(found)


def test_a_layerwise_reranker_is_refused_before_it_trains(bench: Bench) -> None:
    train = {**SHORT, "task": "reranker", "variant": "decoder-only-layerwise"}
    answer = bench.cli("train", bench.job("layerwise", "decoder", train=train, deploy=SERVER), code=2)
    assert "vLLM cannot serve a layerwise reranker" in answer.err
    assert "train decoder-only-base, whose scores vLLM gives exactly" in answer.err
    assert not (bench.runs / "layerwise").exists()


def test_no_file_of_any_run_holds_the_hub_token(bench: Bench, embedder: Ran) -> None:
    assert files_with_the_token(bench) == []
