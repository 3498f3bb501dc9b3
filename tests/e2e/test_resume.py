"""Stop, kill and go on with the real LLaMA-Factory: the same step count and the same loss as without."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from ftctl.process import ProcessId, alive
from ftctl.record import from_record
from ftctl.run.curve import curve
from ftctl.run.directory import RunDir
from tests.conftest import TRAIN_TIMEOUT, Cli, demo_job
from tests.e2e.background import start_in_background, wait_for_step
from tests.small_disk import fill, mounted
from tests.waiting import freeze, until

pytestmark = pytest.mark.engine

EPOCHS = 20  # of 6 steps each


def job(model: Path, target: Path, name: str) -> Path:
    train = {
        "method": "full",
        "epochs": EPOCHS,
        "learning_rate": 1e-3,
        "batch_size": 16,
        "max_length": 256,
        "precision": "fp32",
        "checkpoints": {"every": 10},
    }
    return demo_job(model, target, name=name, train=train)


def losses(run: Path) -> dict[int, float]:
    """The loss curve as one line: no step is there twice."""
    steps = [(event.data["step"], event.data["loss"]) for event in curve(RunDir(run).events())]
    assert [step for step, _ in steps] == list(range(1, len(steps) + 1))
    return dict(steps)


@pytest.fixture(scope="module")
def uninterrupted(
    session_ftctl: Cli, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[int, float]:
    """The losses of the job, trained in one go."""
    file = job(tiny_model, tmp_path_factory.mktemp("whole") / "job.yaml", "in-one-go")
    answer = session_ftctl("train", file, "--json", timeout=TRAIN_TIMEOUT, code=0)
    return losses(Path(answer.data["run"]))


def state_of_run(cli: Cli, run: Path) -> str:
    (state,) = [
        str(entry["state"])
        for entry in cli("runs", "--json", code=0).data["runs"]
        if entry["directory"] == str(run)
    ]
    return state


def same_end(cli: Cli, run: Path, whole: dict[int, float]) -> None:
    cli("resume", run.name, timeout=TRAIN_TIMEOUT, code=0)
    assert state_of_run(cli, run) == "SUCCEEDED"
    resumed = losses(run)
    assert max(resumed) == max(whole) == EPOCHS * 6
    assert resumed[max(resumed)] == pytest.approx(whole[max(whole)], rel=0.01)
    begins = [event.data for event in RunDir(run).events() if event.kind == "begin"]
    assert begins[-1]["resumed_from"] > 0


def test_a_stopped_run_goes_on_to_the_same_end(
    session_ftctl: Cli, tiny_model: Path, tmp_path: Path, uninterrupted: dict[int, float]
) -> None:
    following = start_in_background(session_ftctl, job(tiny_model, tmp_path / "job.yaml", "stopped"))
    run = wait_for_step(session_ftctl, "stopped")
    following.send_signal(signal.SIGINT)
    _, err = following.communicate(timeout=120)
    assert following.returncode == 130, err
    refused = session_ftctl("resume", run.name, "--set", "train.seed=7", code=2)
    assert "train.seed" in refused.err
    same_end(session_ftctl, run, uninterrupted)
    assert json.loads((run / "exit-1.json").read_text())["state"] == "STOPPED"


def test_a_lost_run_goes_on_to_the_same_end(
    session_ftctl: Cli, tiny_model: Path, tmp_path: Path, uninterrupted: dict[int, float]
) -> None:
    following = start_in_background(session_ftctl, job(tiny_model, tmp_path / "job.yaml", "lost"))
    run = wait_for_step(session_ftctl, "lost")
    node = from_record(ProcessId, json.loads((run / "node.json").read_text()))
    os.kill(node.pid, signal.SIGKILL)
    following.communicate(timeout=60)
    assert not alive(node)
    assert state_of_run(session_ftctl, run) == "LOST"
    same_end(session_ftctl, run, uninterrupted)
    engine = from_record(ProcessId, json.loads((run / "engine.json").read_text()))
    assert not alive(engine)


def test_a_disk_that_is_full_at_a_checkpoint_loses_nothing(
    session_ftctl: Cli, tiny_model: Path, tmp_path: Path, uninterrupted: dict[int, float]
) -> None:
    with mounted(tmp_path / "disk", "256m") as disk:
        file = job(tiny_model, tmp_path / "job.yaml", "full")
        run = Path(session_ftctl("train", file, "--runs-dir", disk, "--detach", "--json", code=0).data["run"])
        until((run / "output" / "checkpoint-10" / "trainer_state.json").exists, TRAIN_TIMEOUT)
        engine = from_record(ProcessId, json.loads((run / "engine.json").read_text()))
        freeze(engine.pid)
        filled = fill(disk, 500_000)
        os.kill(engine.pid, signal.SIGCONT)
        answer = session_ftctl("watch", run, timeout=TRAIN_TIMEOUT, code=1)
        assert "no space left on the disk of" in answer.err
        assert json.loads((run / "exit.json").read_text())["diagnosis"] == "disk_full"
        filled.unlink()
        same_end(session_ftctl, run, uninterrupted)
