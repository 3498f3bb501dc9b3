"""What the tests of `ftctl train` on embedders and rerankers share: data, tiny models, runs, deployments."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ftctl.deployments import client
from tests.conftest import ROOT, TRAIN_TIMEOUT, Cli
from tests.shared import made_once

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


def make_bench(python: Path, factory: pytest.TempPathFactory) -> Bench:
    """The tiny models are made once for all who ask; the home and the runs are new."""

    def make(folder: Path) -> None:
        folder.mkdir()
        (folder / "train.jsonl").write_text("".join(json.dumps(line) + "\n" for line in ROWS))
        for kind, options in MODELS.items():
            argv: list[str | Path] = [
                python,
                MAKER,
                kind,
                folder / kind,
                "--text",
                folder / "train.jsonl",
                *options,
            ]
            done = subprocess.run(argv, capture_output=True, text=True, timeout=240, check=False)
            assert done.returncode == 0, done.stderr[-3000:]

    models, folder = made_once(factory, "tiny-retrieval", make), factory.mktemp("retrieval")
    for name in ("train.jsonl", *MODELS):
        (folder / name).symlink_to(models / name)
    (folder / "home").mkdir()
    (folder / "work").mkdir()
    # Two threads that wait for each other on shared cores take several times as long as one.
    return Bench(Cli(folder / "home", folder / "work", {"HF_TOKEN": TOKEN, "OMP_NUM_THREADS": "1"}), folder)


def files_with_the_token(bench: Bench) -> list[Path]:
    """The files of all runs and of the home that hold the hub's token."""
    files = [file for place in (bench.runs, bench.cli.home) for file in place.rglob("*") if file.is_file()]
    assert any(file.name == "events.jsonl" for file in files)
    return [file for file in files if TOKEN.encode() in file.read_bytes()]


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


def same_over_every_route(found: Served) -> None:
    """`/rerank` and `/score` give one score, and nothing without the key."""
    first = ROWS[0]
    passages = [*first["pos"], *first["neg"]]
    body = {"model": found.data["model"], "query": first["query"], "documents": passages}
    status, answer = client.request(found.data["address"], "/rerank", key=found.key, body=body)
    assert status == 200
    ranked = {row["index"]: row["relevance_score"] for row in json.loads(answer)["results"]}
    pairs = [(first["query"], passage) for passage in passages]
    scored = client.score(found.data["address"], found.key, found.data["model"], pairs)
    assert [ranked[at] for at in range(len(passages))] == pytest.approx(scored, rel=1e-3, abs=1e-5)
    assert client.request(found.data["address"], "/score", body=body)[0] == 401


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
