"""Stop, kill and go on with the real FlagEmbedding: the same last step and the same loss as in one go."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ftctl.process import ProcessId
from ftctl.record import from_record
from ftctl.run.curve import curve
from ftctl.run.directory import RunDir
from ftctl.run.state import standing
from tests.conftest import ROOT, TRAIN_TIMEOUT, Cli
from tests.small_disk import fill, mounted
from tests.waiting import freeze, until

pytestmark = pytest.mark.engine

MAKER = ROOT / "ftctl" / "inside" / "make_tiny_retrieval.py"
TOPICS = ("apple", "river", "mountain", "engine", "piano", "castle", "garden", "rocket")
STEPS = 120
MODELS = {"embedding": "encoder", "reranker": "cross-encoder"}


def row(number: int, topic: str) -> dict[str, Any]:
    """More negatives than a group takes, so that which ones it takes follows from the random state."""
    others = [other for other in TOPICS if other != topic]
    return {
        "query": f"what is said of the {topic} in part {number}",
        "pos": [f"The {topic} is described here, in part {number}."],
        "neg": [f"A text about the {others[(number + k) % len(others)]}, number {k}." for k in range(5)],
    }


@dataclass(frozen=True)
class Bench:
    """The rows and the tiny models in `folder`, both with dropout."""

    cli: Cli
    folder: Path

    def begin(self, name: str, task: str, runs: Path | None = None) -> RunDir:
        """Start a training of `task`, detached, under `runs`; it saves a checkpoint every 20 steps."""
        train = {
            "task": task,
            "max_steps": STEPS,
            "batch_size": 4,
            "train_group_size": 3,
            "learning_rate": 1e-3,
            "query_max_length": 32,
            "passage_max_length": 48,
            "log_every": 1,
            "checkpoints": {"every": 20},
        }
        rows, model = str(self.folder / "train.jsonl"), str(self.folder / MODELS[task])
        job = {
            "name": name,
            "model": model,
            "data": {"train": rows},
            "train": train,
            "resources": {"gpus": 0},
        }
        file = self.folder / f"{name}.yaml"
        file.write_text(json.dumps(job))  # JSON is YAML
        where = ("--runs-dir", runs or self.cli.cwd / "runs")
        return RunDir(Path(self.cli("train", file, *where, "--detach", "--json", code=0).data["run"]))


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, flagembedding_python: Path) -> Bench:
    folder = tmp_path_factory.mktemp("resumed")
    rows = [row(number, topic) for number in range(4) for topic in TOPICS]
    (folder / "train.jsonl").write_text("".join(json.dumps(line) + "\n" for line in rows))
    for kind in MODELS.values():
        argv: list[str | Path] = [flagembedding_python, MAKER, kind, folder / kind]
        argv += ["--text", folder / "train.jsonl"]
        made = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
        assert made.returncode == 0, made.stderr[-3000:]
    (folder / "home").mkdir()
    (folder / "work").mkdir()
    return Bench(Cli(folder / "home", folder / "work", {"OMP_NUM_THREADS": "1"}), folder)


def losses(run: RunDir) -> list[float]:
    """The loss of every step; none of them is there twice or missing."""
    steps = curve(run.events())
    assert [event.data["step"] for event in steps] == list(range(1, STEPS + 1))
    return [event.data["loss"] for event in steps]


def frozen(runs: Iterable[RunDir], step: int) -> list[ProcessId]:
    """The engines, each standing still soon after `step`, so that what follows happens in the middle."""
    left, found = list(runs), list[ProcessId]()

    def freeze_who_is_there() -> bool:
        for run in list(left):
            progress = run.path / "progress.jsonl"
            if progress.exists() and f'"step": {step},' in progress.read_text():
                found.append(from_record(ProcessId, run.read_json("engine.json")))
                freeze(found[-1].pid)
                left.remove(run)
        return not left

    until(freeze_who_is_there, TRAIN_TIMEOUT)
    return found


def test_what_was_stopped_and_lost_ends_as_what_ran_in_one_go(bench: Bench) -> None:
    """An embedder and a reranker side by side: stopped by `ftctl stop`, resumed, their supervisors killed,
    resumed; dropout and the choice of negatives included."""
    runs = {task: bench.begin(f"{task}-broken", task) for task in MODELS}
    wholes = {task: bench.begin(f"{task}-whole", task) for task in MODELS}
    engines = frozen(runs.values(), 5)
    bench.cli("stop", *(run.path.name for run in runs.values()), code=0)
    go_on(engines)
    for run in runs.values():
        bench.cli("watch", run.path, timeout=TRAIN_TIMEOUT, code=130)
        bench.cli("resume", run.path, "--detach", code=0)
    engines = frozen(runs.values(), 45)
    for run in runs.values():
        os.kill(from_record(ProcessId, run.read_json("node.json")).pid, signal.SIGKILL)
        until(partial(is_lost, run))
    go_on(engines)
    for run in runs.values():
        bench.cli("resume", run.path, "--detach", timeout=TRAIN_TIMEOUT, code=0)
    for task, run in runs.items():
        for one in (run, wholes[task]):
            bench.cli("watch", one.path, timeout=TRAIN_TIMEOUT, code=0)
        begins = [event.data.get("resumed_from", 0) for event in run.events() if event.kind == "begin"]
        assert 0 == begins[0] < 5 <= begins[1] < 45 <= begins[2] < STEPS
        assert losses(run)[-1] == pytest.approx(losses(wholes[task])[-1], rel=0.01)
        assert run.read_json("artifact.json")["hashes"]
        ends = [run.read_json(f"exit-{number}.json")["state"] for number in (1, 2)]
        assert ends == ["STOPPED", "LOST"]


def is_lost(run: RunDir) -> bool:
    return standing(run.path) == "LOST"


def go_on(engines: Iterable[ProcessId]) -> None:
    for engine in engines:
        os.kill(engine.pid, signal.SIGCONT)


def test_a_disk_that_is_full_at_a_checkpoint_loses_nothing(bench: Bench, tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "256m") as disk:
        run = bench.begin("full", "embedding", disk)
        until((run.path / "output" / "checkpoint-20" / "trainer_state.json").exists, TRAIN_TIMEOUT)
        engine = from_record(ProcessId, run.read_json("engine.json"))
        freeze(engine.pid)
        filled = fill(disk, 200_000)
        go_on([engine])
        answer = bench.cli("watch", run.path, timeout=TRAIN_TIMEOUT, code=1)
        assert "no space left on the disk of" in answer.err
        assert run.read_json("exit.json")["diagnosis"] == "disk_full"
        filled.unlink()
        bench.cli("resume", run.path, timeout=TRAIN_TIMEOUT, code=0)
        assert len(losses(run)) == STEPS
