"""The verbs that look after runs, with the real engine: detached, watched, run again, compared, removed."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import DEMO, TRAIN_TIMEOUT, Cli, TrainedRun, demo_job

pytestmark = pytest.mark.engine
SHORT = ("--set", "train.max_steps=3")


def test_a_detached_run_is_watched_from_two_shells(ftctl: Cli, tiny_model: Path) -> None:
    job = demo_job(tiny_model, ftctl.cwd / "demo.yaml")
    started = ftctl("train", job, *SHORT, "--detach", "--json", code=0)
    assert started.data["state"] == "RUNNING"
    run = started.data["id"]
    assert [one["id"] for one in ftctl("ps", "--json").data["runs"]] == [run]
    second = subprocess.Popen(
        ftctl.argv("watch", run), env=ftctl.environment, cwd=ftctl.cwd, stderr=subprocess.PIPE, text=True
    )
    answer = ftctl("watch", run, "--json", timeout=TRAIN_TIMEOUT, code=0)
    _, words = second.communicate(timeout=30)
    assert second.returncode == 0
    assert "step 3/3" in words and f"done: {started.data['run']}" in words
    events = [json.loads(line) for line in answer.out.splitlines()[:-1]]
    assert [event["step"] for event in events if event["event"] == "step"] == [1, 2, 3]
    assert answer.data["state"] == "SUCCEEDED"
    listed = ftctl("runs", "--state", "succeeded", "--json").data["runs"]
    assert [(one["id"], one["step"]) for one in listed] == [(run, 3)]


def test_a_run_is_run_again_without_its_job_file(ftctl: Cli, tiny_model: Path) -> None:
    folder = ftctl.cwd / "jobs"
    folder.mkdir()
    shutil.copy(DEMO / "ftctl-qa.jsonl", folder / "rows.jsonl")
    job = demo_job(tiny_model, folder / "job.yaml", data={"train": "rows.jsonl"})
    first = ftctl("train", job, *SHORT, "--json", timeout=TRAIN_TIMEOUT, code=0).data
    job.unlink()
    again = ftctl(
        "rerun", first["id"], "--set", "train.learning_rate=1e-5", "--json",
        cwd=ftctl.home, timeout=TRAIN_TIMEOUT, code=0,
    ).data  # fmt: skip
    assert Path(again["run"]).parent == Path(first["run"]).parent
    record = json.loads((Path(again["run"]) / "run.json").read_text())
    assert record["job_file"] == str(job)
    assert record["overrides"] == ["train.max_steps=3", "train.learning_rate=1e-5"]
    lines = ftctl("runs", "compare", first["id"], again["id"], "--json", code=0).data["lines"]
    differing = {line["key"]: line for line in lines if line["section"] in ("job", "data", "versions")}
    assert list(differing) == ["train.learning_rate"]
    results = {line["key"]: (line["a"], line["b"]) for line in lines if line["section"] == "result"}
    assert results["state"] == ("SUCCEEDED", "SUCCEEDED")
    assert results["step"] == (3, 3)
    assert results["loss"][0] < results["loss"][1]  # the first learns by heart, at 300 times the rate
    freed = ftctl("rm", first["id"], again["id"], "--yes", "--json", code=0).data["freed"]
    assert freed > 2 * 2**20  # both runs' weights
    assert not Path(first["run"]).parent.exists()


def test_a_run_kept_for_reading_compares_with_itself(trained_run: TrainedRun) -> None:
    run = trained_run.directory.name
    lines = trained_run.cli("runs", "compare", run, run, "--json", code=0).data["lines"]
    assert {line["section"] for line in lines} == {"result", "time"}
    assert all(line["a"] == line["b"] for line in lines)
