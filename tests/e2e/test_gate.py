"""A whole job with the dummy and the judge: trained, served, evaluated, compared, and held by its gate."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ftctl.judge.measured import Measurement
from ftctl.judge.model import Evaluation, Measured
from ftctl.judge.records import other_of
from ftctl.judge.verdict import record, verdict
from ftctl.run.directory import RunDir
from tests.conftest import Cli
from tests.dummy_jobs import with_job
from tests.flow.test_dummy_retrieval import job_of

pytestmark = pytest.mark.engine
TUNED = Measured("/run/output", {"ndcg@10": 0.5104}, {}, {}, "t", 0.7)
MET = {"rougeL": ">= 0.05", "exact_match.gain": ">= 0", "f1.low": ">= base - 0.2", "latency_p99": "<= 20"}


@pytest.fixture
def cli(session_ftctl: Cli, tmp_path: Path, judge_python: Path) -> Iterator[Cli]:
    cli = with_job(Cli(session_ftctl.home, tmp_path, session_ftctl.more))
    yield cli
    for name in ("tested", "made"):
        cli("stop", name, "--now")


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


def test_a_run_whose_gate_is_not_met_replaces_nothing(cli: Cli) -> None:
    gate = {"ndcg@10": ">= 0.6"}
    file = job_of(cli, "embedding", method="full")
    document = json.loads(file.read_text()) | {"deploy": {"proxy": True}, "evaluate": {"gate": gate}}
    file.write_text(json.dumps(document))
    cli("train", file, code=0)
    (run,) = (cli.cwd / "runs" / "made").iterdir()
    hashes = json.loads((run / "artifact.json").read_text())["hashes"]
    RunDir(run).write_json("evaluation.json", Evaluation("embedding", 2, 90, "hash", tuned=TUNED))
    for figure, code in ((0.5104, 3), (0.61, 0)):
        own = Measurement("own", "hash", {"ndcg@10": figure})
        record(RunDir(run), verdict(gate, own, other_of(run), hashes=hashes))
        done = cli("deploy", run, "--replace", "made", code=code)
        front = json.loads((cli.home / "ftctl/state/deployments/made/deployment.json").read_text())
        members = front["deployment"]["members"]
        assert members == (["made.1"] if code else ["made.2"])
        assert ("the gate is not met: ndcg@10 is 0.510, 0.090 short: >= 0.6" in done.err) is bool(code)
        assert ("made serves on as before" in done.err) is bool(code)
