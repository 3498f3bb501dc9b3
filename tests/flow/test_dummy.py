"""The dummy, as a pipeline uses it: `ftctl train`, `deploy`, `chat`, `logs`, `stop` and `runs`, for real."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ftctl.artifacts.dummy import is_dummy
from ftctl.engine_schema.files import engine_schema
from ftctl.events import Event
from ftctl.run.directory import RunDir
from ftctl.run.records import plan_of
from ftctl.servers import dummy as server
from ftctl.trainers import dummy as trainer
from tests.conftest import ROOT, Cli
from tests.dummy_jobs import ask, only_run, planned, train, with_job
from tests.waiting import until

CONFIG = ROOT / "configs" / "dummy" / "pipeline.yaml"


@pytest.fixture
def job(ftctl: Cli) -> Iterator[Cli]:
    """The command line with a job `job.yaml` where it works; what a test leaves serving is stopped."""
    yield with_job(ftctl)
    if (ftctl.home / "ftctl/state/deployments").is_dir():
        ftctl("stop", "--all", "--now", code=0)


def events(run: RunDir, kind: str) -> list[Event]:
    return [event for event in run.events() if event.kind == kind]


def losses(run: RunDir) -> list[float]:
    return [event.data["loss"] for event in events(run, "step")]


def test_the_config_goes_from_training_to_answers_and_all_of_it_says_dummy(ftctl: Cli) -> None:
    done = ftctl("train", CONFIG, code=0)
    assert "pipeline: running at http://127.0.0.1:" in done.out + done.err
    try:
        answered = ftctl("chat", "pipeline", "hello there", "--once", code=0).out
        assert answered.strip() == "[ftctl dummy] heard: hello there"
        row = ftctl("ps", "--json", code=0).data["deployments"][0]
        assert (row["engine"], row["state"]) == ("dummy", "running")
        assert "[ftctl dummy]" in ftctl("logs", "pipeline", code=0).out
        wrong_key(row["address"])
        every_route(row["address"], (ftctl.home / "ftctl/state/deployments/pipeline/key").read_text().strip())
    finally:
        ftctl("stop", "pipeline", code=0)
    (run,) = (ftctl.cwd / "runs" / "pipeline").iterdir()
    assert ftctl("runs", "--json", code=0).data["runs"][0]["state"] == "SUCCEEDED"
    for folder in (run / "output", run / "merged", run / "output" / "checkpoint-10"):
        assert is_dummy(folder)
        assert "dummy" in (folder / "README.md").read_text().splitlines()[0]
    assert json.loads((run / "merged" / "config.json").read_text())["architectures"] == [
        "FtctlDummyForCausalLM"
    ]


def wrong_key(url: str) -> None:
    """Every route but /health asks for the key, those that are not there too."""
    assert ask(url, "/health", None) == (200, {"ftctl_dummy": True}, "true")
    for path in ("/v1/models", "/metrics", "/nowhere"):
        assert ask(url, path, None)[0] == ask(url, path, "wrong")[0] == 401
    for path in ("/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/tokenize", "/health"):
        status, said, _ = ask(url, path, "wrong", {"prompt": "x"})
        assert (status, said["ftctl_dummy"]) == (401, True)


def every_route(url: str, key: str) -> None:
    messages = [{"role": "user", "content": [{"type": "text", "text": "one two"}]}]
    status, said, mark = ask(url, "/v1/chat/completions", key, {"messages": messages})
    assert (status, said["ftctl_dummy"], mark) == (200, True, "true")
    assert said["choices"][0]["message"]["content"] == "[ftctl dummy] heard: one two"
    said = ask(url, "/v1/completions", key, {"prompt": "a b c", "max_tokens": 2})[1]
    assert said["choices"][0] == {"index": 0, "text": "[ftctl dummy] heard: a", "finish_reason": "length"}
    rows = ask(url, "/v1/embeddings", key, {"input": ["a", "b", "a"]})[1]["data"]
    assert rows[0]["embedding"] == rows[2]["embedding"] != rows[1]["embedding"]
    assert ask(url, "/tokenize", key, {"prompt": "a b"})[1]["count"] == 2
    assert ask(url, "/v1/models", key)[1]["data"][0]["id"] == "pipeline"
    assert "\nftctl_dummy_requests_total 5\n" in ask(url, "/metrics", key)[1]
    said = ask(url, "/v1/chat/completions", key, {"model": "another", "messages": messages})[1]
    assert said["error"]["message"].startswith("[ftctl dummy] the model 'another' does not exist")
    wrong: list[Any] = [{"messages": []}, {"messages": "x"}, []]
    for body in wrong:
        assert ask(url, "/v1/chat/completions", key, body)[0] == 400


def test_a_slow_training_is_stopped_at_a_checkpoint_that_one_can_go_on_from(job: Cli) -> None:
    argv = job.argv("train", "job.yaml", "--set", "train.native={seconds_per_step: 3, seconds_to_load: 0}")
    following = subprocess.Popen(argv, cwd=job.cwd, env=job.environment, stderr=subprocess.DEVNULL)
    try:
        run = when_stepping(job)
        job("stop", run.path.name, code=0)
        assert following.wait(60) == 130
    finally:
        following.kill()
        following.wait()
    (stopped,) = events(run, "stopped")
    step = stopped.data["step"]
    assert 0 < step < 11
    assert job("runs", "--json", code=0).data["runs"][0]["state"] == "STOPPED"
    checkpoint = f"output/checkpoint-{step}"
    state = json.loads((run.path / checkpoint / "trainer_state.json").read_text())
    assert (state["global_step"], len(state["log_history"]), state["ftctl_dummy"]) == (step, step, True)
    assert not (run.path / "output" / "config.json").exists()
    goes_on(run, checkpoint, step)


def when_stepping(cli: Cli) -> RunDir:
    """The run once it has taken a step."""
    until(lambda: any(losses(RunDir(path)) for path in cli.cwd.glob("runs/tested/*")))
    return only_run(cli)


def goes_on(run: RunDir, checkpoint: str, step: int) -> None:
    """The trainer takes up the step and reaches the loss of a training that was never stopped."""
    plan = plan_of(run)
    rendered = trainer.render_resume(plan, checkpoint)
    asked = json.loads(rendered.files[trainer.FILE]) | {"seconds_per_step": 0.0}
    (run.path / "again.json").write_text(json.dumps(asked))
    (run.path / "stop").unlink()
    before = len((run.path / "progress.jsonl").read_text().splitlines())
    subprocess.run([sys.executable, rendered.argv[1], "train", "again.json"], cwd=run.path, check=True,
                   capture_output=True, timeout=60)  # fmt: skip
    lines = map(json.loads, (run.path / "progress.jsonl").read_text().splitlines()[before:])
    found = [line for line in lines if line["event"] in ("begin", "step")]
    assert (found[0]["resumed_from"], found[1]["step"], found[-1]["step"]) == (step, step + 1, 11)
    state = json.loads((run.path / "output" / "trainer_state.json").read_text())
    assert [entry["step"] for entry in state["log_history"]] == list(range(1, 12))


def test_the_loss_falls_by_the_seed_and_the_plan_says_the_steps(job: Cli) -> None:
    train(job, "train.epochs=2", "train.checkpoints={every: 4, keep: 2}", "data.eval=8")
    run = only_run(job)
    first = losses(run)
    (begin,) = events(run, "begin")
    assert begin.data["total_steps"] == len(first) == 20
    assert first[0] > 2 * first[5] > 4 * first[-1] > 0
    assert [event.data["step"] for event in events(run, "checkpoint")] == [4, 8, 12, 16, 20]
    assert sorted(path.name for path in (run.path / "output").glob("checkpoint-*")) == [
        "checkpoint-16",
        "checkpoint-20",
    ]
    assert [event.data["step"] for event in events(run, "evaluation")] == [10, 20]
    artifact = run.read_json("artifact.json")
    assert artifact is not None
    assert artifact["architecture"] == "FtctlDummyForCausalLM"
    asked = json.loads((run.path / trainer.FILE).read_text())
    assert train_again(run, asked) == first
    other = train_again(run, asked | {"seed": 7})
    assert len(other) == 20
    assert set(other).isdisjoint(first)


def train_again(run: RunDir, asked: dict[str, Any]) -> list[float]:
    """The losses of the trainer's program alone, in a run that has been."""
    (run.path / "again.json").write_text(json.dumps(asked))
    progress = run.path / "progress.jsonl"
    before = len(progress.read_text().splitlines())
    argv = [sys.executable, str(trainer.PROGRAM), "train", "again.json"]
    subprocess.run(argv, cwd=run.path, check=True, capture_output=True, timeout=60)
    lines = map(json.loads, progress.read_text().splitlines()[before:])
    return [line["loss"] for line in lines if line["event"] == "step"]


@pytest.mark.parametrize(
    ("native", "said"),
    [
        ("{fail_at_step: 3, fail_message: 'CUDA out of memory.'}", "RuntimeError: CUDA out of memory."),
        ("{die_at_step: 3}", "the engine was killed by signal 9 after step 2"),
        ("{die_at_step: 3, die_signal: SIGTERM}", "the engine was killed by signal 15 after step 2"),
        ("{broken_result: true}", "cut short"),
    ],
)
def test_a_failure_is_told_with_its_step(job: Cli, native: str, said: str) -> None:
    answer = train(job, f"train.native={native}", code=1)
    assert said in answer.err
    assert job("runs", "--json", code=0).data["runs"][0]["state"] == "FAILED"
    run = only_run(job)
    record = run.read_json("exit.json")
    assert record is not None
    assert (record["exit_code"], "artifact.json" in {path.name for path in run.path.iterdir()}) == (1, False)
    assert "[ftctl dummy]" in job("logs", run.path.name, code=0).out


def test_a_loss_that_is_no_number_and_no_checkpoint(job: Cli) -> None:
    train(job, "train.native={nan_at_step: 4, no_checkpoint: true}")
    run = only_run(job)
    assert [math.isfinite(loss) for loss in losses(run)] == [True] * 3 + [False] * 8
    assert events(run, "checkpoint") == []


def test_gpus_are_counted_and_not_looked_for(job: Cli) -> None:
    """The batch is split as on the GPUs that the job asks for, on a machine that has none."""
    settings = ("resources.gpus=4", "train.precision=fp16", "deploy.tensor_parallel=4", "train.batch_size=16")
    plan = planned(job, "job.yaml", *settings)
    assert plan.train is not None
    assert plan.serve is not None
    assert (plan.train.devices, plan.train.world_size, plan.train.accumulation) == ((), 4, 4)
    assert (plan.serve.engine, plan.serve.devices, plan.serve.tensor_parallel) == ("dummy", (), 1)
    assert plan.facts.trainer is not None
    assert (plan.facts.trainer.python, plan.facts.trainer.installed) == (Path(sys.executable), True)


@pytest.mark.parametrize(
    ("schema", "told"), [("dummy", trainer.TOLD), ("dummy-server", server.TOLD)], ids=("train", "deploy")
)
def test_the_schemas_say_what_the_programs_take(schema: str, told: dict[str, Any]) -> None:
    found = engine_schema(schema)
    assert found is not None
    assert {name: one["default"] for name, one in found["properties"].items()} == told


def test_a_dummy_needs_no_environment_and_cannot_be_installed(ftctl: Cli) -> None:
    assert "the dummy is a part of ftctl" in ftctl("engines", "install", "dummy", code=2).err
    assert "the dummy is a part of ftctl" in ftctl("schema", "sync", "dummy", code=2).err
    assert "fail_at_step" in ftctl("schema", "show", "dummy", code=0).out


def test_a_failure_that_comes_once(job: Cli) -> None:
    """The second run of the program gets through: what a run that is started again needs."""
    train(job, "train.native={die_at_step: 3, only_once: true}", "train.checkpoints.every=2", code=1)
    run = only_run(job)
    assert not is_dummy(run.path / "output")
    argv = [sys.executable, str(trainer.PROGRAM), "train", trainer.FILE]
    subprocess.run(argv, cwd=run.path, check=True, capture_output=True, timeout=60)
    assert is_dummy(run.path / "output")
