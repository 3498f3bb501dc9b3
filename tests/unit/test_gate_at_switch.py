"""A gate before servers are replaced: the run's own verdict counts, and one against it changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftctl.artifacts.model import Artifact
from ftctl.deployments.replace import open_gate
from ftctl.deployments.target import Target
from ftctl.errors import GateNotMet
from ftctl.job.model import Deploy, Evaluate, Job, Model, Resources
from ftctl.judge.at_switch import gate_of
from ftctl.judge.model import Evaluation, Measured
from ftctl.judge.records import measured_of, other_of
from ftctl.judge.verdict import record, recorded, verdict
from ftctl.run.directory import RunDir
from ftctl.view.gated import gated

TUNED = Measured("/run/output", {"ndcg@10": 0.5104}, {}, {}, "t", 0.7)
WHOLE = Evaluation("embedding", 2, 90, "hash", tuned=TUNED, note="it has no head that scores")
HASHES = {"model.safetensors": "abc"}


def job(**gate: str) -> Job:
    rules = {key.replace("_", "@"): text for key, text in gate.items()}
    file, model = Path("job.yaml"), Model("/base", True)
    return Job("bot", model, None, None, Resources(), None, file, "", evaluate=Evaluate(gate=rules))


def target(asked: Job, artifact: Artifact, run: Path) -> Target:
    return Target(artifact, Deploy(), "bot", asked, run)


def run_with(tmp_path: Path, asked: Job) -> Path:
    """A run that was measured, with its verdict."""
    run = RunDir(tmp_path / "run")
    run.write_json("evaluation.json", WHOLE)
    run.write_json("evaluation_queries.json", {"tuned": {"q1": {"ndcg@10": 0.5}, "q2": {"ndcg@10": 0.5208}}})
    gate = asked.evaluate.gate if asked.evaluate is not None else {}
    found = verdict(gate, measured_of(run.path), other_of(run.path), hashes=HASHES)
    record(run, found)
    assert recorded(run.path) == found
    return run.path


def test_a_verdict_of_the_same_files_counts(tmp_path: Path) -> None:
    good, bad = job(ndcg_10=">= 0.5"), job(ndcg_10=">= 0.6")
    artifact = Artifact("model", tmp_path, hashes=HASHES)
    assert gate_of(target(good, artifact, run_with(tmp_path, good)), "front") is open_gate
    with pytest.raises(GateNotMet) as caught:
        gate_of(target(bad, artifact, run_with(tmp_path, bad)), "front")
    assert caught.value.message == "the gate is not met: ndcg@10 is 0.510, 0.090 short: >= 0.6"
    assert caught.value.remedy.startswith("front serves on as before")
    assert caught.value.exit_code == 3


def test_a_verdict_of_other_files_or_rules_does_not(tmp_path: Path) -> None:
    good = job(ndcg_10=">= 0.5")
    run = run_with(tmp_path, good)
    for artifact, asked in (
        (Artifact("model", tmp_path, hashes={"model.safetensors": "other"}), good),
        (Artifact("model", tmp_path, hashes=HASHES), job(ndcg_10=">= 0.4")),
        (Artifact("model", tmp_path), good),
    ):
        assert gate_of(target(asked, artifact, run), "front") is not open_gate


def test_without_a_gate_every_server_may_take_over(tmp_path: Path) -> None:
    assert gate_of(target(job(), Artifact("model", tmp_path), tmp_path), "front") is open_gate


def test_a_base_that_was_not_measured_is_said(tmp_path: Path) -> None:
    run = run_with(tmp_path, job(ndcg_10=">= base"))
    found = recorded(run)
    assert found is not None
    shown = gated(found).splitlines()
    assert shown[0] == "  the gate is not met"
    assert shown[1] == "  ✗ ndcg@10 >= base: the base model was not measured: it has no head that scores"
