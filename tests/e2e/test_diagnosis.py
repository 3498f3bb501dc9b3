"""Failures of the real LLaMA-Factory, told by what they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import TRAIN_TIMEOUT, Cli, demo_job
from tests.memory_group import little_memory

pytestmark = pytest.mark.engine

WHOLE = {"method": "full", "batch_size": 8, "max_length": 128}


def ended(cli: Cli, code: int) -> dict[str, Any]:
    """How the one run of `cli` ended."""
    (record,) = (cli.cwd / "runs").glob("*/*/exit.json")
    value: dict[str, Any] = json.loads(record.read_text())
    assert value["exit_code"] == code
    return value


def test_a_lost_loss_ends_the_training(ftctl: Cli, tiny_model: Path) -> None:
    train = {**WHOLE, "max_steps": 6, "native": {"learning_rate": 1e30}}
    job = demo_job(tiny_model, ftctl.cwd / "job.yaml", train=train)
    answer = ftctl("train", job, timeout=TRAIN_TIMEOUT, code=1)
    assert "is nan at step 2: the training has diverged" in answer.err
    assert "lower train.learning_rate" in answer.err
    assert ended(ftctl, 1)["diagnosis"] == "nan"
    (run,) = (ftctl.cwd / "runs").glob("*/*/events.jsonl")
    assert "NaN" not in run.read_text().replace("is NaN", "")


def test_an_engine_that_the_memory_killer_ends_is_told_what_decides(
    ftctl: Cli, llamafactory_python: Path, tiny_model: Path
) -> None:
    """In a group of 250 MB torch itself does not fit: it is ended while it is imported."""
    python = ftctl.cwd / "python"
    with little_memory(250_000_000) as group:
        python.write_text(f'#!/bin/sh\necho $$ > {group} && exec {llamafactory_python} "$@"\n')
        python.chmod(0o755)
        train = {**WHOLE, "max_steps": 3, "engine_python": str(python)}
        job = demo_job(tiny_model, ftctl.cwd / "job.yaml", train=train)
        answer = ftctl("train", job, timeout=TRAIN_TIMEOUT, code=1)
    assert "while the kernel's memory killer was at work: memory ran out" in answer.err
    assert "what decides: micro_batch_size" in answer.err
    assert ended(ftctl, 1)["diagnosis"] == "killed_for_memory"


def test_a_training_that_gets_no_better_gives_up_and_keeps_its_best(ftctl: Cli, tiny_model: Path) -> None:
    """A rate that ruins the model: the first evaluation is the best, and two later ones are enough."""
    train = {
        **WHOLE,
        "epochs": 30,
        "learning_rate": 0.5,
        "checkpoints": {"every": 2, "keep": 1, "keep_best": "eval_loss"},
        "early_stopping": {"patience": 2},
        "stop_on": "never",
    }
    job = demo_job(tiny_model, ftctl.cwd / "job.yaml", train=train)
    held = json.loads(job.read_text())
    held["data"]["eval"] = 8
    job.write_text(json.dumps(held))
    ftctl("train", job, timeout=TRAIN_TIMEOUT, code=0)
    (output,) = (ftctl.cwd / "runs").glob("*/*/output")
    state = json.loads((output / "trainer_state.json").read_text())
    losses = {one["step"]: one["eval_loss"] for one in state["log_history"] if "eval_loss" in one}
    best = min(losses, key=losses.__getitem__)
    assert state["global_step"] == best + 4
    assert Path(state["best_model_checkpoint"]).name == f"checkpoint-{best}"
    assert (output / f"checkpoint-{best}").is_dir()
