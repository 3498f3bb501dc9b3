"""Trainings of embedders that end otherwise: on two processes, diverged, interrupted."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest

from tests.e2e.retrieval import SERVER, SHORT, Bench, Ran, files_with_the_token, make_bench
from tests.waiting import until

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, flagembedding_python: Path) -> Bench:
    return make_bench(flagembedding_python, tmp_path_factory)


def test_two_processes_train_as_one_does(bench: Bench) -> None:
    """The same global batch and, across the processes, the same negatives in it.

    Noise: without dropout the two differ by the order of sums, and by Adam's epsilon, which weighs more
    against the gradients of two processes, for FlagEmbedding averages what it should add. Measured 2e-5.
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

    def took_a_step() -> bool:
        assert following.poll() is None, following.stderr and following.stderr.read()
        events = bench.runs.glob("interrupted/*/events.jsonl")
        return any('"event": "step"' in file.read_text() for file in events)

    until(took_a_step, 240)
    following.send_signal(signal.SIGINT)
    _, err = following.communicate(timeout=120)
    assert following.returncode == 130, err
    assert b"stopped at step" in err
    ran = Ran.of(bench, "interrupted", {})
    (checkpoint,) = (ran.directory / "output").glob("checkpoint-*")
    assert (checkpoint / "model.safetensors").is_file()
    assert (checkpoint / "optimizer.pt").is_file()
    assert not (ran.directory / "artifact.json").exists()
    assert files_with_the_token(bench) == []
