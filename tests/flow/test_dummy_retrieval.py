"""The dummy as an embedder and as a reranker: trained, served, asked as a real server is, and told apart."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ftctl.artifacts.dummy import is_dummy
from ftctl.deployments import client
from ftctl.facts.model import Gpu
from ftctl.leases.model import Wish
from ftctl.leases.take import Asking, take
from tests.conftest import Cli
from tests.dummy_jobs import ask, planned

TOPICS = ("apple", "river", "mountain", "engine", "piano")


def job_of(cli: Cli, task: str, **train: Any) -> Path:
    rows = (
        {"query": f"what of {topic}", "pos": [f"The {topic}."], "neg": ["Something else."]}
        for topic in TOPICS
    )
    (cli.cwd / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    train = {"engine": "dummy", "task": task, "batch_size": 2, "epochs": 1, "train_group_size": 2, **train}
    whole = {"name": "made", "model": "any/model", "data": {"train": "rows.jsonl", "eval": 1}, "train": train}
    file = cli.cwd / "job.yaml"
    file.write_text(json.dumps({**whole, "deploy": {}}))
    return file


@pytest.fixture
def cli(ftctl: Cli) -> Iterator[Cli]:
    yield ftctl
    ftctl("stop", "--all", "--now", code=0)


def served(cli: Cli) -> tuple[dict[str, Any], str]:
    (row,) = cli("ps", "--json", code=0).data["deployments"]
    assert (row["engine"], row["state"]) == ("dummy", "running")
    return row, (Path(row["folder"]) / "key").read_text().strip()


def test_an_embedder_gives_vectors_and_says_that_it_is_a_dummy(cli: Cli) -> None:
    cli("train", job_of(cli, "embedding", query_instruction="find: "), code=0)
    row, key = served(cli)
    assert (row["kind"], row["query_prompt"]) == ("embed", "find: ")
    first, other, again = client.embed(row["address"], key, "made", ["a", "b", "a"], cut=True)
    assert first == again != other
    assert sum(number * number for number in first) == pytest.approx(1.0)
    status, said, mark = ask(row["address"], "/v1/embeddings", key, {"input": ["a"]})
    assert (status, said["ftctl_dummy"], mark) == (200, True, "true")
    assert ask(row["address"], "/v1/chat/completions", key, {"messages": []})[0] == 404
    (run,) = (cli.cwd / "runs" / "made").iterdir()
    assert is_dummy(run / "output")
    assert json.loads((run / "output" / "config.json").read_text())["architectures"] == ["FtctlDummyModel"]
    assert (run / "output" / "modules.json").is_file()
    assert holding_a_gpu(cli, "deployment made") == [0]
    refused = cli("deploy", run, "--name", "real", "--set", "engine=vllm", "--no-install", code=2)
    assert "is a dummy's artifact, which no real engine can serve" in refused.err


def holding_a_gpu(cli: Cli, what: str) -> Any:
    """The GPUs of the only deployment by `ftctl ps`, where who goes by `what` holds one."""
    leases = cli.home / "leases"
    lease = take(
        Asking(Wish((), 1, (0,)), (Gpu(0, "any", 1, None, "GPU-0"),), what, leases, lambda: ({}, None))
    )
    env = {"FTCTL_LEASES": str(leases)}
    assert cli("ps", env=env, code=0).out.splitlines()[0].split()[-1] == "gpus"
    (row,) = cli("ps", "--json", env=env, code=0).data["deployments"]
    lease.close()
    return row["gpus"]


@pytest.mark.parametrize("variant", ["encoder-only-base", "decoder-only-base"])
def test_a_reranker_scores_and_ranks(cli: Cli, variant: str) -> None:
    cli("train", job_of(cli, "reranker", variant=variant), code=0)
    row, key = served(cli)
    assert row["kind"] == "score"
    pairs = [("the river", "a river"), ("the river", "the river"), ("x", "y")]
    assert client.score(row["address"], key, "made", pairs) == [0.0, 5.0, -5.0]
    body = {"query": "the river", "documents": ["a sea", "the river", {"text": "a river"}], "top_n": 2}
    status, said, _ = ask(row["address"], "/rerank", key, body)
    assert (status, said["ftctl_dummy"]) == (200, True)
    assert [one["index"] for one in said["results"]] == [1, 2]
    one_query = {"text_1": "the river", "text_2": ["the river", "a sea"]}
    data = ask(row["address"], "/v1/score", key, one_query)[1]["data"]
    assert [one["score"] for one in data] == [5.0, -5.0]
    bodies: list[dict[str, Any]] = [{"text_1": ["a", "b"], "text_2": ["a"]}, {"text_1": [], "text_2": []}, {}]
    for wrong in bodies:
        assert ask(row["address"], "/score", key, wrong)[0] == 400
    assert ask(row["address"], "/rerank", key, {"query": "x", "documents": []})[0] == 400


def test_a_jobs_own_engine_is_replaced_without_a_word_of_its_model(cli: Cli) -> None:
    """A Hub model is not here, so that its variant cannot be known: a dummy is told none."""
    file = job_of(cli, "embedding", engine="auto")
    refused = cli("validate", file, code=2)
    assert "train.variant: cannot be told" in refused.err + refused.out
    plan = planned(cli, str(file), "train.engine=dummy", "deploy.engine=dummy")
    assert plan.train is not None
    assert plan.train.retrieval is not None
    assert (plan.train.engine, plan.train.retrieval.variant) == ("dummy", "encoder-only-base")
