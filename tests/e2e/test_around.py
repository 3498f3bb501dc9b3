"""The demo's job as a user runs it: the figures on the way, and the run in the list afterwards."""

from __future__ import annotations

import json

import pytest

from tests.conftest import TrainedRun

pytestmark = pytest.mark.engine


def test_train_with_json_prints_events_and_last_the_envelope(trained_run: TrainedRun) -> None:
    *lines, envelope = [json.loads(line) for line in trained_run.answer.out.splitlines()]
    assert (envelope["command"], envelope["ok"], envelope["exit_code"]) == ("train", True, 0)
    steps = [line for line in lines if line["event"] == "step"]
    assert steps[-1]["step"] == steps[-1]["total_steps"]
    assert {"loss", "learning_rate", "grad_norm", "memory", "remaining"} <= set(steps[-1])
    assert steps[-1]["loss"] < 0.1
    assert steps[0]["loss"] > 1
    phases = [line["name"] for line in lines if line["event"] == "phase" and line["state"] == "done"]
    assert phases == ["train", "collect"]


def test_the_run_is_listed_with_its_last_step(trained_run: TrainedRun) -> None:
    (run,) = trained_run.cli("runs", "--json", code=0).data["runs"]
    assert run["directory"] == str(trained_run.directory)
    assert (run["state"], run["step"]) == ("SUCCEEDED", run["total_steps"])
    assert run["ended"] > run["created"]
    assert run["id"] in trained_run.cli("runs", "--name", run["name"], code=0).out
