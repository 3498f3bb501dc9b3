"""TensorBoard and MLflow hold the losses that ftctl recorded, of a run that was stopped and went on."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ftctl.run.curve import curve
from ftctl.run.directory import RunDir
from tests.conftest import INSTALL_TIMEOUT, TRAIN_TIMEOUT, Cli, demo_job
from tests.e2e.background import start_in_background, wait_for_step

pytestmark = pytest.mark.engine

READER = Path(__file__).parent / "read_trackers.py"
LAYER = ("llamafactory", "--variant", "cpu", "--with", "tensorboard,mlflow")
STEPS = 240
TRAIN = {
    "method": "full",
    "epochs": 40,  # of 6 steps each
    "learning_rate": 1e-3,
    "batch_size": 16,
    "max_length": 256,
    "precision": "fp32",
    "checkpoints": {"every": 500},
    "report_to": ["tensorboard", "mlflow"],
}


@pytest.fixture(scope="module")
def layer(session_ftctl: Cli, llamafactory_python: Path) -> Path:
    """The interpreter of the layer, which is built from its lock where it is not there yet."""
    session_ftctl("engines", "install", *LAYER, timeout=INSTALL_TIMEOUT, code=0)
    found = Path(session_ftctl("engines", "path", *LAYER, code=0).out.strip())
    assert found != llamafactory_python
    return found


def read(python: Path, run: Path) -> dict[str, Any]:
    """What the trackers' own files hold."""
    argv = [python, READER, run / "tracking" / "tensorboard", (run / "tracking" / "mlruns").as_uri()]
    done = subprocess.run(list(map(str, argv)), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_both_trackers_hold_one_curve_of_a_run_that_went_on(
    session_ftctl: Cli, tiny_model: Path, layer: Path, tmp_path: Path
) -> None:
    file = demo_job(tiny_model, tmp_path / "job.yaml", name="tracked", train=TRAIN)
    following = start_in_background(session_ftctl, file)
    run = wait_for_step(session_ftctl, "tracked")
    following.send_signal(signal.SIGINT)
    _, err = following.communicate(timeout=120)
    assert following.returncode == 130, err
    answer = session_ftctl("resume", run.name, timeout=TRAIN_TIMEOUT, code=0)
    assert f"tensorboard: tensorboard --logdir {run}" in answer.err

    events = list(RunDir(run).events())
    recorded = {event.data["step"]: event.data["loss"] for event in curve(iter(events))}
    assert sorted(recorded) == list(range(1, STEPS + 1))
    begins = [event.data.get("resumed_from", 0) for event in events if event.kind == "begin"]
    assert len(begins) == 2
    assert 0 < begins[1] < STEPS

    found = read(layer, run)
    assert found["mlflow"]["runs"] == [["tracked", run.name, "FINISHED"]]
    for losses in (found["tensorboard"], found["mlflow"]["losses"]):
        assert [step for step, _ in losses] == sorted(recorded)
        assert dict(losses) == pytest.approx(recorded, rel=1e-5)
    told = {event.data["tracker"]: event.data["place"] for event in events if event.kind == "tracking"}
    assert told == {
        "tensorboard": str(run / "tracking" / "tensorboard"),
        "mlflow": (run / "tracking" / "mlruns").as_uri(),
    }
