"""The main job where it ends otherwise: interrupted, killed, its terminal closed, refused by the engine."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from ftctl.process import ProcessId, alive, session_members
from ftctl.record import from_record
from tests.conftest import TRAIN_TIMEOUT, Cli, demo_job
from tests.e2e.background import start_in_background, wait_for_step

pytestmark = pytest.mark.engine

CPU_SERVER = {"engine": "vllm", "dtype": "float32", "max_length": 512, "kv_cache_memory": "64MiB"}


def long_job(tiny_model: Path, target: Path, name: str, **more: Any) -> Path:
    train = {
        "method": "full",
        "epochs": 1000,
        "batch_size": 16,
        "max_length": 256,
        "checkpoints": {"every": "never"},
    }
    return demo_job(tiny_model, target, name=name, train=train, **more)


def test_ctrl_c_saves_a_checkpoint_and_ends_with_130(
    session_ftctl: Cli, tiny_model: Path, tmp_path: Path
) -> None:
    following = start_in_background(session_ftctl, long_job(tiny_model, tmp_path / "job.yaml", "interrupted"))
    run = wait_for_step(session_ftctl, "interrupted")
    following.send_signal(signal.SIGINT)
    _, err = following.communicate(timeout=120)
    assert following.returncode == 130, err
    assert b"stopped at step" in err
    (checkpoint,) = (run / "output").glob("checkpoint-*")
    assert (checkpoint / "model.safetensors").is_file()
    assert (checkpoint / "optimizer.pt").is_file()
    assert not (run / "artifact.json").exists()


def test_an_engine_killed_in_training_fails_and_nothing_is_served(
    session_ftctl: Cli, tiny_model: Path, tmp_path: Path
) -> None:
    job = long_job(tiny_model, tmp_path / "job.yaml", "killed", deploy=CPU_SERVER)
    following = start_in_background(session_ftctl, job)
    run = wait_for_step(session_ftctl, "killed")
    engine = from_record(ProcessId, json.loads((run / "engine.json").read_text()))
    os.kill(engine.pid, signal.SIGKILL)
    _, err = following.communicate(timeout=120)
    assert following.returncode == 1
    assert b"the engine was killed by signal 9 after step" in err
    assert not alive(engine)
    assert session_members(engine.pid) == ()
    assert session_ftctl("ps", "--json", code=0).data["deployments"] == []


def test_closing_the_terminal_does_not_end_the_run(
    session_ftctl: Cli, tiny_model: Path, tmp_path: Path
) -> None:
    following = start_in_background(session_ftctl, long_job(tiny_model, tmp_path / "job.yaml", "closed"))
    run = wait_for_step(session_ftctl, "closed")
    following.send_signal(signal.SIGHUP)
    following.communicate(timeout=120)
    time.sleep(1)
    states = session_ftctl("runs", "--name", "closed", "--json", code=0).data["runs"]
    assert [state["state"] for state in states] == ["RUNNING"]
    session_ftctl("stop", run.name, "--now", timeout=60, code=0)


def test_what_the_engine_refuses_fails_the_run_with_its_words(
    session_ftctl: Cli, tiny_model: Path, tmp_path: Path
) -> None:
    train = {"method": "lora", "native": {"adapter_name_or_path": "no_such_adapter"}}
    job = demo_job(tiny_model, tmp_path / "job.yaml", name="refused", train=train, deploy=CPU_SERVER)
    answer = session_ftctl("train", job, timeout=TRAIN_TIMEOUT)
    assert answer.code == 1
    assert "train: the engine ended with exit code 1" in answer.err
    assert "no_such_adapter" in answer.err
    assert "the whole log is" in answer.err
