"""What is verified once is not verified again, as long as it is what it was: seen with the dummy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from ftctl.artifacts.model import Artifact
from ftctl.run.directory import RunDir
from ftctl.supervise.collecting import STAMP, collected, stamp
from tests.conftest import Cli
from tests.dummy_jobs import only_run, train, with_job


@pytest.fixture
def job(ftctl: Cli) -> Iterator[Cli]:
    yield with_job(ftctl)
    ftctl("stop", "--all", "--now", code=0)


def done(run: RunDir) -> Counter[str]:
    """How often each phase was done."""
    phases = [event.data for event in run.events() if event.kind == "phase"]
    return Counter(phase["name"] for phase in phases if phase["state"] == "done")


def test_a_resume_that_serves_verifies_only_what_has_changed(job: Cli) -> None:
    train(job, "deploy={engine: dummy, native: {fail_to_start: no room}}", code=1)
    run = only_run(job)
    first = run.read_json("artifact.json")
    job("resume", run.path, code=1)
    assert done(run) == {"train": 1, "collect": 1}
    (run.path / "output" / "README.md").write_text("changed by hand")
    job("resume", run.path, "--set", "deploy.native={}", code=0)
    assert done(run) == {"train": 1, "collect": 2, "serve": 1}
    last = run.read_json("artifact.json")
    differing = {name for name, known in last["hashes"].items() if known != first["hashes"][name]}
    assert differing == {"README.md"}


def test_what_was_verified_stands_while_its_files_do(tmp_path: Path) -> None:
    run, folder = RunDir(tmp_path), tmp_path / "output"
    assert collected(run) is None
    folder.mkdir()
    (folder / "model.safetensors").write_text("weights")
    artifact = Artifact("model", folder)
    run.write_json("artifact.json", artifact)
    assert collected(run) is None
    run.write_json(STAMP, stamp(folder))
    assert collected(run) == artifact
    (folder / "checkpoint-1").mkdir()
    assert collected(run) == artifact
    (folder / "more.safetensors").write_text("weights")
    assert collected(run) is None
