"""A whole job with the dummy and the judge: trained, served, evaluated, compared, and held by its gate."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.dummy_jobs import with_job

pytestmark = pytest.mark.engine
MET = {"rougeL": ">= 0.05", "exact_match.gain": ">= 0", "f1.low": ">= base - 0.2", "latency_p99": "<= 20"}


@pytest.fixture
def cli(session_ftctl: Cli, tmp_path: Path, judge_python: Path) -> Iterator[Cli]:
    cli = with_job(Cli(session_ftctl.home, tmp_path, session_ftctl.more))
    yield cli
    cli("stop", "tested", "--now")


def job(cli: Cli, gate: dict[str, str], **more: object) -> Path:
    file = cli.cwd / "job.yaml"
    document = {
        "name": "tested",
        "model": "any/model",
        "data": {"train": "rows.jsonl", "test": 12},
        "train": {"engine": "dummy", "method": "full", "epochs": 1, "batch_size": 8},
        "deploy": {"proxy": True},
        "evaluate": {"metrics": ["exact_match", "f1", "rouge"], "compare": "base", "gate": gate},
    }
    file.write_text(json.dumps(document | more))
    return file


def test_a_job_ends_by_its_gate_and_so_does_a_replacement(cli: Cli) -> None:
    done = cli("train", job(cli, MET), "--json", code=0, timeout=200)
    verdict = json.loads(done.out.splitlines()[-1])["data"]["verdict"]
    assert [rule["met"] for rule in verdict["rules"]] == [True] * 4
    assert cli("ps", "--json", code=0).data["deployments"]
    first = Path(json.loads(done.out.splitlines()[-1])["data"]["run"])
    found = cli("compare", first, "--json", code=0).data["beside_the_first"][0]
    assert found["paired"]["f1"]["ties"] == 12
    # The run's own verdict is of another gate: the new server is asked itself, and its old ones stay.
    missed = job(cli, {"rougeL": ">= run:tested + 0.5"})
    told = cli("deploy", missed, "--replace", "tested", code=3, timeout=200).err
    assert "the gate is not met: rougeL" in told
    assert "tested serves on as before" in told
    front = json.loads((cli.home / "ftctl/state/deployments/tested/deployment.json").read_text())
    assert front["deployment"]["members"] == ["tested.1"]
    assert not list(first.glob(".judging.*"))
    cli("deploy", job(cli, {"rougeL": ">= 0.05"}), "--replace", "tested", code=0, timeout=200)
    cli("stop", "tested", code=0)
    # A run that misses its gate leaves nothing running.
    ended = cli("train", job(cli, MET | {"rougeL": ">= 90%"}), code=3, timeout=200)
    assert "✗ rougeL is 0." in ended.err
    assert "short: >= 90%" in ended.err
    assert not [one for one in cli("ps", "--json", code=0).data["deployments"] if one["name"] == "tested"]
    assert cli("runs", "--name", "tested", "--json", code=0).data["runs"][-1]["exit_code"] == 3
