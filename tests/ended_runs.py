"""Runs made by hand that ended well: their records and small weights, without any engine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ftctl.artifacts.model import Artifact
from ftctl.artifacts.verify import file_hashes, verify_adapter, verify_model
from ftctl.job.model import Deploy
from ftctl.job.training import Train
from ftctl.plan.model import Plan
from ftctl.run.directory import RunDir
from tests import plans
from tests.model_files import write_adapter, write_model


def ended_run(root: Path, *, shards: bool = False, method: str = "full", merged: bool = True) -> RunDir:
    """A run below `root` whose result is a whole model, or with method lora an adapter, merged or not."""
    run = RunDir(root / "runs" / "small" / "20260101-120000-abcd")
    run.path.mkdir(parents=True)
    artifact: Artifact
    if method == "lora":
        adapter = verify_adapter(write_adapter(run.path / "output", "/models/base"), "/models/base")
        run.write_json("adapter.json", adapter)
        artifact = adapter
    if method != "lora" or merged:
        whole = write_model(run.path / ("merged" if method == "lora" else "output"), shards=shards)
        leave(whole)
        artifact = verify_model(whole)
    run.write_json("artifact.json", artifact)
    record(run, plans.plan(Train(method=method), deploy=None if merged else Deploy(adapter="attach")))
    return run


def leave(folder: Path) -> None:
    """What an engine leaves beside its weights and nobody else needs."""
    for name in ("README.md", "Modelfile", "trainer_state.json", "training_args.bin"):
        (folder / name).write_text("left over")
    (folder / "checkpoint-1").mkdir()


def record(run: RunDir, plan: Plan) -> None:
    """The records of a run that succeeded; its job knows a secret and paths that are nobody's business."""
    train = plan.job.train
    assert train is not None
    secret = replace(train, native={"hub_token": "hf_secret", "resume_from": "/home/me/secret-place/one"})
    run.write_json("plan.json", replace(plan, job=replace(plan.job, train=secret)))
    run.write_json("run.json", {"name": "small", "created": 1.0, "ftctl": "0.0.9", "engines": []})
    progress = {"step": 10, "total_steps": 10, "loss": 0.25}
    run.write_json("exit.json", {"state": "SUCCEEDED", "exit_code": 0, "ended": 2.0, "progress": progress})
    run.emit("evaluation", {"metrics": {"eval_loss": 0.5}}, at=1.5)


def again(run: RunDir, folder: str) -> None:
    """Take down the hashes of what lies in the folder now."""
    artifact = run.read_json("artifact.json")
    run.write_json("artifact.json", {**artifact, "hashes": file_hashes(run.path / folder)})
