"""Embedders and rerankers through `ftctl train`: converted, trained, compared, and served as trained."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ftctl.deployments import client
from tests.conftest import ROOT, TRAIN_TIMEOUT, Cli
from tests.e2e.conftest import START_TIMEOUT

pytestmark = pytest.mark.engine

MAKER = ROOT / "ftctl" / "inside" / "make_tiny_retrieval.py"
TOKEN = "hf_secret_that_no_file_may_hold"
TOPICS = [
    "apple", "river", "mountain", "engine", "piano", "castle", "garden", "rocket", "violin", "desert",
    "harbor", "forest", "planet",
]  # fmt: skip
MODELS = {
    "encoder": ("--dropout", "0"),
    "cross-encoder": ("--dropout", "0"),
    "m3": (),
    "decoder": (),
}
SERVER = {"engine": "vllm", "kv_cache_memory": "64MiB"}
SHORT = {"max_steps": 4, "batch_size": 4, "train_group_size": 4, "log_every": 1}
INSTRUCTION = "find: "


def row(number: int, topic: str) -> dict[str, Any]:
    """A passage that answers differs by its topic and by its words; an untrained model sees neither."""
    others = [other for other in TOPICS if other != topic]
    return {
        "query": f"what is said of the {topic} in part {number}",
        "pos": [f"The {topic} is described here, in part {number}."],
        "neg": [f"A text about the {others[(number + k) % len(others)]}, number {k}." for k in range(5)],
    }


ROWS = [row(number, topic) for number in range(3) for topic in TOPICS]


@dataclass(frozen=True)
class Bench:
    """The data and the tiny models in `folder`, and a command line with a token in its environment."""

    cli: Cli
    folder: Path

    @property
    def runs(self) -> Path:
        return self.cli.cwd / "runs"

    def job(self, name: str, model: str | Path, **more: Any) -> Path:
        """The file of a job on the tiny model `model`, or on the one in that folder."""
        job = {
            "name": name,
            "model": str(self.folder / model),
            "data": {"train": str(self.folder / "train.jsonl")},
            "resources": {"gpus": 0},
            **more,
        }
        file = self.folder / f"{name}.yaml"
        file.write_text(json.dumps(job))  # JSON is YAML
        return file

    def train(self, name: str, model: str | Path, code: int = 0, **more: Any) -> Ran:
        """`ftctl train` of such a job, to its end."""
        answer = self.cli("train", self.job(name, model, **more), "--json", timeout=TRAIN_TIMEOUT, code=code)
        return Ran.of(self, name, answer.envelope)


@dataclass(frozen=True)
class Ran:
    """A run that has ended: its directory, its events, what `ftctl train` said at the end."""

    directory: Path
    events: list[dict[str, Any]]
    envelope: dict[str, Any]

    @classmethod
    def of(cls, bench: Bench, name: str, envelope: dict[str, Any]) -> Ran:
        (directory,) = (bench.runs / name).iterdir()
        lines = (directory / "events.jsonl").read_text().splitlines()
        return cls(directory, [json.loads(line) for line in lines], envelope)

    def phases(self, state: str = "done") -> list[str]:
        return [event["name"] for event in self.of_kind("phase") if event["state"] == state]

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == kind]

    @property
    def losses(self) -> list[float]:
        return [event["loss"] for event in self.of_kind("step")]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, flagembedding_python: Path) -> Bench:
    folder = tmp_path_factory.mktemp("retrieval")
    (folder / "train.jsonl").write_text("".join(json.dumps(line) + "\n" for line in ROWS))
    makers = [
        subprocess.Popen(
            [flagembedding_python, MAKER, kind, folder / kind, "--text", folder / "train.jsonl", *options],
            stderr=subprocess.PIPE,
            text=True,
        )
        for kind, options in MODELS.items()
    ]
    for maker in makers:
        _, said = maker.communicate(timeout=120)
        assert maker.returncode == 0, said[-3000:]
    (folder / "home").mkdir()
    (folder / "work").mkdir()
    # Two threads that wait for each other on shared cores take several times as long as one.
    cli = Cli(folder / "home", folder / "work", {"HF_TOKEN": TOKEN, "OMP_NUM_THREADS": "1"})
    return Bench(cli, folder)


@pytest.fixture(autouse=True)
def nothing_is_left(bench: Bench) -> Iterator[None]:
    """What a test serves is stopped after it, so that `ps` tells of one deployment at most."""
    yield
    bench.cli("stop", "--all", timeout=120)


@dataclass(frozen=True)
class Served:
    """A deployment, as `ftctl ps --json` tells of it."""

    data: dict[str, Any]

    @property
    def key(self) -> str:
        return (Path(self.data["folder"]) / "key").read_text().strip()

    def vectors(self, texts: list[str]) -> list[list[float]]:
        return [list(row) for row in client.embed(self.data["address"], self.key, self.data["model"], texts)]

    def ranked_first(self, rows: list[dict[str, Any]]) -> float:
        """The share of these rows whose first passage `/rerank` puts first."""
        return sum(self._best(row) == 0 for row in rows) / len(rows)

    def _best(self, row: dict[str, Any]) -> int:
        passages = [*row["pos"], *row["neg"]]
        body = {"model": self.data["model"], "query": row["query"], "documents": passages}
        status, answer = client.request(self.data["address"], "/rerank", key=self.key, body=body)
        assert status == 200, answer
        return int(json.loads(answer)["results"][0]["index"])


def served(cli: Cli, name: str) -> Served:
    """The one deployment that runs, healthy and compared with its training."""
    (listed,) = cli("ps", "--json", code=0).data["deployments"]
    assert (listed["name"], listed["state"]) == (name, "running")
    return Served(listed)


def assert_vectors_as_trained(found: Served) -> None:
    parity = found.data["parity"]
    assert (found.data["kind"], parity["measure"], parity["count"]) == ("embed", "cosine", 10)
    assert parity["figure"] > 0.9999


def assert_scores_as_trained(found: Served) -> None:
    parity = found.data["parity"]
    assert (found.data["kind"], parity["measure"], parity["count"]) == ("score", "difference", 5)
    assert parity["figure"] < 1e-3


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
    assert bench.cli("ps", "--json", code=0).data["deployments"] == []


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
    bench.train("cross", "cross-encoder", train=train, deploy=SERVER)
    found = served(bench.cli, "cross")
    assert_scores_as_trained(found)
    assert found.ranked_first(ROWS) > 0.9
    bench.cli("stop", "cross", code=0)
    bench.cli("deploy", bench.folder / "cross-encoder", "--name", "untrained", timeout=START_TIMEOUT, code=0)
    assert served(bench.cli, "untrained").ranked_first(ROWS) < 0.5


def test_a_reranker_on_a_small_qwen(bench: Bench) -> None:
    ran = bench.train("scorer", "decoder", train={**SHORT, "task": "reranker"}, deploy=SERVER)
    assert len(ran.losses) == 4
    assert_scores_as_trained(served(bench.cli, "scorer"))


def test_a_layerwise_reranker_is_refused_before_it_trains(bench: Bench) -> None:
    train = {**SHORT, "task": "reranker", "variant": "decoder-only-layerwise"}
    answer = bench.cli("train", bench.job("layerwise", "decoder", train=train, deploy=SERVER), code=2)
    assert "vLLM cannot serve a layerwise reranker" in answer.err
    assert "train decoder-only-base, whose scores vLLM gives exactly" in answer.err
    assert not (bench.runs / "layerwise").exists()


def test_two_processes_train_as_one_does(bench: Bench) -> None:
    """The same global batch and, across the processes, the same negatives in it.

    Noise: the order of sums and Adam's epsilon; see tests/e2e/test_flagembedding_runner.py.
    """
    train = {**SHORT, "task": "embedding", "temperature": 0.05, "learning_rate": 5e-4}
    one = bench.train("one", "encoder", train=train)
    train = {**train, "negatives_across_devices": True}
    two = bench.train("two", "encoder", train=train, resources={"gpus": 0, "processes": 2})
    assert [event["world_size"] for event in two.of_kind("begin")] == [2]
    assert len(one.losses) == 4
    assert one.losses[-1] != one.losses[0]
    assert two.losses == pytest.approx(one.losses, rel=5e-4)


def test_a_training_that_diverges_fails_and_is_never_served(bench: Bench) -> None:
    train = {**SHORT, "task": "embedding", "native": {"temperature": 1e-39}}
    ran = bench.train("diverged", "encoder", code=1, train=train, deploy=SERVER)
    assert "FloatingPointError" in ran.envelope["error"]["message"]
    assert json.loads((ran.directory / "exit.json").read_text())["state"] == "FAILED"
    assert not (ran.directory / "artifact.json").exists()
    assert bench.cli("ps", "--json", code=0).data["deployments"] == []


def test_ctrl_c_saves_a_checkpoint_and_ends_with_130(bench: Bench) -> None:
    train = {**SHORT, "task": "embedding", "max_steps": 5000, "checkpoints": {"every": "never"}}
    job = bench.job("interrupted", "encoder", train=train)
    following = subprocess.Popen(
        bench.cli.argv("train", job), cwd=bench.cli.cwd, env=bench.cli.environment, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 120
    while not any(
        '"event": "step"' in file.read_text() for file in bench.runs.glob("interrupted/*/events.jsonl")
    ):
        assert following.poll() is None, following.stderr and following.stderr.read()
        assert time.monotonic() < deadline, "no step was taken"
        time.sleep(0.05)
    following.send_signal(signal.SIGINT)
    _, err = following.communicate(timeout=60)
    assert following.returncode == 130, err
    assert b"stopped at step" in err
    ran = Ran.of(bench, "interrupted", {})
    (checkpoint,) = (ran.directory / "output").glob("checkpoint-*")
    assert (checkpoint / "model.safetensors").is_file()
    assert (checkpoint / "optimizer.pt").is_file()
    assert not (ran.directory / "artifact.json").exists()


def test_no_file_of_any_run_holds_the_hub_token(bench: Bench, embedder: Ran) -> None:
    places = [bench.runs, bench.cli.home]
    files = [file for place in places for file in place.rglob("*") if file.is_file()]
    assert any(file.name == "events.jsonl" for file in files)
    assert [file for file in files if TOKEN.encode() in file.read_bytes()] == []
