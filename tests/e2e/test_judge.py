"""An embedder trained, served, and measured through its endpoint against its base: the real thing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, Cli

pytestmark = pytest.mark.engine
JOB = ROOT / "configs" / "embedding" / "minilm-cpu.yaml"
TIMEOUT = 500.0  # seconds; about 80 where little else runs


@dataclass(frozen=True)
class Run:
    """A run that has ended and whose deployment is stopped: what `ftctl train --json` said of it."""

    data: dict[str, Any]
    events: list[dict[str, Any]]

    @property
    def folder(self) -> Path:
        return Path(self.data["run"])

    @property
    def record(self) -> Any:
        return json.loads((self.folder / "evaluation.json").read_text())

    def phases(self) -> list[str]:
        return [event["name"] for event in self.events if event.get("state") == "done" and "name" in event]


# One rule that is met and one that cannot be.
GATE = ("--set", "evaluate.gate.recall@10=>= base * 10%", "--set", "evaluate.gate.ndcg@10=>= 0.99")


def train(cli: Cli, model: Path, *more: str, code: int = 0) -> Run:
    threads = {"OMP_NUM_THREADS": "1"}  # two were six times slower where others compute too
    answer = cli(
        "train", JOB, "--set", f"model={model}", *more, "--json", timeout=TIMEOUT, code=code, env=threads
    )
    if code == 0:
        cli("stop", "minilm", code=0)
    events = [json.loads(line) for line in answer.out.splitlines()]
    return Run(events[-1]["data"], events[:-1])


@pytest.fixture(scope="module")
def measured(
    session_ftctl: Cli, minilm: Path, flagembedding_python: Path, vllm_python: Path
) -> Iterator[Run]:
    yield train(session_ftctl, minilm)


def test_the_trained_embedder_finds_more_than_its_base(measured: Run) -> None:
    figures = measured.data["evaluation"]
    assert figures["base"]["ndcg@10"] == pytest.approx(0.560, abs=0.005)
    assert figures["difference"]["ndcg@10"] >= 0.05
    for name, value in figures["tuned"].items():
        assert figures["difference"][name] == pytest.approx(value - figures["base"][name])
    assert (figures["queries"], figures["passages"]) == (75, 75)


def test_the_base_is_served_as_the_trained_one_and_nothing_of_it_stays(
    measured: Run, session_ftctl: Cli
) -> None:
    base, tuned = measured.record["base"], measured.record["tuned"]
    assert base["server"] == tuned["server"]
    assert base["hashes"]["model.safetensors"] != tuned["hashes"]["model.safetensors"]
    names = [entry["name"] for entry in session_ftctl("ps", "--all", "--json", code=0).data["deployments"]]
    assert not [name for name in names if "-base-" in name]
    assert not list(measured.folder.glob(".judging*"))
    assert measured.phases().index("judge base") < measured.phases().index("serve")
    queries = json.loads((measured.folder / "evaluation_queries.json").read_text())
    assert queries["base"].keys() == queries["tuned"].keys() == queries["queries"].keys()


def test_a_second_run_takes_the_bases_figures_from_the_first(
    measured: Run, session_ftctl: Cli, minilm: Path
) -> None:
    again = train(session_ftctl, minilm, "--set", "train.max_steps=1", *GATE, code=3)
    assert again.record["base"]["reused_from"] == measured.folder.name
    assert again.record["base"]["figures"] == measured.record["base"]["figures"]
    assert not [event for event in again.events if event["event"] == "judging" and event["model"] == "base"]
    assert again.record["tuned"]["figures"] != measured.record["tuned"]["figures"]
    # Its gate is not met: nothing is left running, and everyone is told by how much.
    recall, ndcg = again.data["verdict"]["rules"]
    assert (recall["met"], ndcg["met"], again.data["verdict"]["met"]) == (True, False, False)
    assert ndcg["by"] == pytest.approx(again.record["tuned"]["figures"]["ndcg@10"] - 0.99)
    assert recall["bar"] == pytest.approx(0.1 * again.record["base"]["figures"]["recall@10"])
    assert again.events[-1]["exit_code"] == 3
    running = [entry["name"] for entry in session_ftctl("ps", "--json", code=0).data["deployments"]]
    assert "minilm" not in running
    shown = session_ftctl("watch", again.folder.name, code=3).err
    assert "the gate is not met" in shown
    assert "✗ ndcg@10 is " in shown
    assert "✓ recall@10 is " in shown
