"""The dummy: a training without an engine, for a pipeline's own tests. It learns nothing and says so.

The program is `inside/dummy_trainer.py`, run by ftctl's own interpreter; its arguments beyond the plan's are
those of `schemas/training/dummy.schema.json`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ftctl.events import Event, parse
from ftctl.job.training import Train
from ftctl.plan.compute import rows_of
from ftctl.plan.model import Plan, TrainPlan
from ftctl.rendered import Rendered
from ftctl.trainers import parted
from ftctl.trainers.start import INSIDE, interpreter, training

NAME = "dummy"
TASKS = frozenset({"sft", "embedding", "reranker"})
PROGRAM = INSIDE / "dummy_trainer.py"
FILE, MERGE = "native/train.json", "native/merge.json"
OUTPUT, MERGED = "output", "merged"
ENVIRONMENT: Mapping[str, str | None] = {"PYTHONUNBUFFERED": "1", "PYTHONPATH": None}
# What `native` may say, and what holds where it does not.
TOLD: Mapping[str, Any] = {
    "seconds_to_load": 0.0,
    "seconds_per_step": 0.0,
    "fail_at_step": None,
    "fail_message": "told to fail by train.native",
    "die_at_step": None,
    "die_signal": "SIGKILL",
    "stall_at_step": None,
    "nan_at_step": None,
    "only_once": False,
    "no_checkpoint": False,
    "ignore_stop": False,
    "broken_result": False,
}


def render(plan: Plan) -> Rendered:
    """The training command and its arguments."""
    return _command(plan, "train", FILE, arguments(plan))


def render_resume(plan: Plan, checkpoint: str) -> Rendered:
    """The same, going on from a checkpoint: a folder of the run directory."""
    return _command(plan, "train", FILE, arguments(plan) | {"resume_from_checkpoint": checkpoint})


def arguments(plan: Plan) -> dict[str, Any]:
    """Everything that `native/train.json` says; `native` wins."""
    train, decided = training(plan)
    steps = _steps_per_epoch(plan, decided)
    return {
        "ftctl_dummy": True,
        "model": plan.job.model.path,
        "output_dir": OUTPUT,
        "adapter": plan.method == "lora",
        "architecture": _architecture(train, decided),
        "lora_rank": train.lora.rank,
        "lora_alpha": train.lora.alpha or 2 * train.lora.rank,
        "seed": train.seed,
        "learning_rate": decided.learning_rate,
        "epochs": train.epochs,
        "steps_per_epoch": steps,
        "total_steps": train.max_steps or max(1, math.ceil(steps * train.epochs)),
        "batch_size": decided.batch_size,
        "micro_batch_size": decided.micro_batch_size,
        "accumulation": decided.accumulation,
        "world_size": decided.world_size,
        "log_every": train.log_every,
        "save_every": _interval(train.checkpoints.every, steps),
        "keep": train.checkpoints.keep,
        "weights_only": train.checkpoints.weights_only,
        "eval_every": _evaluation(plan, train, steps),
        **TOLD,
        **{key: value for key, value in train.native.items() if value is not None},
    }


def program(plan: Plan) -> str:
    """The only one."""
    return "train"


def render_data(plan: Plan, python: str) -> Rendered | None:
    """The parts of files of which rows are held out, as for an engine, though it reads none of them."""
    return parted.render(plan, python)


def render_merge(plan: Plan) -> Rendered | None:
    """Whole weights in place of an adapter; None where there is none, or where it is to be attached."""
    if plan.method != "lora" or not plan.merge:
        return None
    asked = {
        "ftctl_dummy": True,
        "model": plan.job.model.path,
        "architecture": _architecture(*training(plan)),
        "adapter_dir": OUTPUT,
        "output_dir": MERGED,
    }
    return _command(plan, "merge", MERGE, asked)


def progress(line: str) -> Event | None:
    """The program writes our own events, one a line."""
    return parse(line)


def results(plan: Plan) -> Mapping[str, Path]:
    """Where the result lies, relative to the run directory."""
    if plan.method != "lora":
        return {"model": Path(OUTPUT)}
    merged = {"merged": Path(MERGED)} if plan.merge else {}
    return {"adapter": Path(OUTPUT), **merged}


def _architecture(train: Train, decided: TrainPlan) -> str:
    """The class that the model would be of: it says what the model is served as."""
    if decided.retrieval is None or not decided.retrieval.encoder:
        return "FtctlDummyForCausalLM"
    return "FtctlDummyModel" if train.task == "embedding" else "FtctlDummyForSequenceClassification"


def _command(plan: Plan, what: str, file: str, asked: Mapping[str, Any]) -> Rendered:
    text = json.dumps(asked, indent=1, ensure_ascii=False) + "\n"
    return Rendered((str(interpreter(plan)), str(PROGRAM), what, file), ENVIRONMENT, {file: text})


def _steps_per_epoch(plan: Plan, decided: TrainPlan) -> int:
    """The plan's; where packing or mixing leaves them to an engine, as if nothing were packed."""
    return decided.steps_per_epoch or max(1, math.ceil(rows_of(plan.job, plan.facts) / decided.batch_size))


def _interval(every: int | str, steps: int) -> int | None:
    """Steps between two checkpoints or evaluations; None for never."""
    if isinstance(every, int):
        return every
    return steps if every == "epoch" else None


def _evaluation(plan: Plan, train: Train, steps: int) -> int | None:
    data = plan.job.data
    if data is None or (data.eval_share is None and not data.eval):
        return None
    return _interval(train.eval_every or "epoch", steps)
