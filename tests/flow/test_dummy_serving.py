"""The dummy as a server: `ftctl deploy`, `chat` and `logs`, its faults, and what it refuses to serve."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ftctl.artifacts.dummy import check_server, is_dummy
from ftctl.artifacts.model import Artifact
from ftctl.deployments.target import target_of
from ftctl.errors import JobError, UsageError
from ftctl.run.directory import RunDir
from ftctl.servers import dummy as server
from tests.conftest import Cli
from tests.dummy_jobs import ask, only_run, planned, state_of, train, with_job
from tests.model_files import write_model
from tests.waiting import until


@pytest.fixture
def job(ftctl: Cli) -> Iterator[Cli]:
    """The command line with a job `job.yaml` where it works; what a test leaves serving is stopped."""
    yield with_job(ftctl)
    if (ftctl.home / "ftctl/state/deployments").is_dir():
        ftctl("stop", "--all", "--now", code=0)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cli, RunDir]]:
    """A run of the job, made once; what the tests serve of it is stopped at the end."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "home").mkdir()
    cli = with_job(Cli(folder / "home", folder))
    train(cli)
    yield cli, only_run(cli)
    cli("stop", "--all", "--now", code=0)


def test_a_run_is_served_and_dies_after_so_many_answers(trained: tuple[Cli, RunDir]) -> None:
    cli, run = trained
    native = "native={ready_after: 0.3, die_after_requests: 2, answer: a b}"
    data = cli(
        "deploy", run.path, "--name", "dying", "--set", native, "--set", "restart=never", "--json", code=0
    ).data
    assert data["engine"] == "dummy"
    messages = {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 1}
    for _ in range(2):
        said = ask(data["url"], "/v1/chat/completions", Path(data["key_file"]).read_text().strip(), messages)
        assert said[1]["choices"][0]["message"]["content"] == "[ftctl dummy] a"
    until(lambda: state_of(cli, "dying") == "failed")


def test_errors_and_ill_health_on_demand(trained: tuple[Cli, RunDir]) -> None:
    cli, run = trained
    native = "native={error_every: 2, unhealthy-after-requests: 3}"
    data = cli("deploy", run.path / "output", "--name", "ill", "--set", native, "--json", code=0).data
    url, key = data["url"], Path(data["key_file"]).read_text().strip()
    told = [ask(url, "/v1/completions", key, {"prompt": "x"})[0] for _ in range(3)]
    assert told == [200, 500, 200]
    assert ask(url, "/health", None)[0] == 503
    (row,) = (one for one in cli("ps", "--json", code=0).data["deployments"] if one["name"] == "ill")
    assert row["state"] == "unhealthy"


def test_no_real_engine_serves_or_trains_a_dummys_artifact(trained: tuple[Cli, RunDir]) -> None:
    cli, run = trained
    output = run.path / "output"
    answer = cli("deploy", run.path, "--set", "engine=vllm", "--no-install", code=2)
    assert "is a dummy's artifact, which no real engine can serve" in answer.err
    with pytest.raises(UsageError, match="which no real engine can serve"):
        target_of(str(output), ("engine=vllm",))
    (cli.cwd / "serve.yaml").write_text(f"name: s\nmodel: {output}\ndeploy: {{}}\n")
    with pytest.raises(JobError, match="no real engine can serve"):
        planned(cli, "serve.yaml")
    assert planned(cli, "serve.yaml", "deploy.engine=dummy").serve is not None
    with pytest.raises(JobError, match="is an artifact of ftctl's dummy, which no real engine can load"):
        planned(cli, "job.yaml", "train.engine=auto", f"model={output}")
    assert planned(cli, "job.yaml", f"model={output}").train is not None


def test_the_dummy_serves_no_real_model(ftctl: Cli, tmp_path: Path) -> None:
    model = write_model(ftctl.cwd / "m")
    answer = ftctl("deploy", model, "--set", "engine=dummy", code=2)
    assert "is no artifact of the dummy, and the dummy serves nothing else" in answer.err
    with pytest.raises(UsageError, match="no artifact of the dummy"):
        check_server(Artifact("hub", Path("some/model")), "dummy")
    asked = {"path": str(model), "host": "127.0.0.1", "port": 1}
    (tmp_path / "dummy.json").write_text(json.dumps(asked))
    done = subprocess.run([sys.executable, server.PROGRAM, "dummy.json"], cwd=tmp_path, capture_output=True,
                          text=True, check=False, timeout=60)  # fmt: skip
    assert (done.returncode, done.stderr) == (
        1,
        f"[ftctl dummy] refused: {model} is no artifact of the dummy\n",
    )


def test_a_server_that_does_not_start_says_why(job: Cli) -> None:
    answer = train(job, "deploy.native={fail_to_start: no room}", code=1)
    assert "ftctl's dummy ended with exit code 1 while loading nothing: no room" in answer.err
    assert "take fail_to_start out of deploy.native" in answer.err
    assert state_of(job, "tested") == "failed"
    assert "told to fail: no room" in job("logs", "tested", code=0).out


def test_an_adapter_is_attached_to_a_base_that_is_not_there(job: Cli) -> None:
    train(job, "train.method=lora", "deploy={adapter: attach}")
    assert job("chat", "tested", "hi", code=0).out.startswith("[ftctl dummy] ")
    assert is_dummy(only_run(job).path / "output")
