"""What a job would train a model to see of a conversation, found without training: for `ftctl plan`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ftctl.artifacts.chat_template import TRAINED
from ftctl.errors import FtctlError, UsageError
from ftctl.plan.model import Plan
from ftctl.process import run
from ftctl.rendered import environment
from ftctl.run.directory import RunDir
from ftctl.trainers.start import FILE, INSIDE, interpreter
from ftctl.trainers.table import trainer_of

PROGRAM = INSIDE / "llamafactory_template.py"


def examined(plan: Plan) -> Mapping[str, Any]:
    """What trained_template.json would hold. The plan's engine is installed; its import takes seconds.

    Raises UsageError where no language model is trained, FtctlError where the engine cannot look.
    """
    if plan.train is None or plan.train.engine != "llamafactory":
        raise UsageError("only a language model that LLaMA-Factory trains has a chat template to check")
    step = trainer_of(plan).render(plan)
    with tempfile.TemporaryDirectory() as place:
        folder = RunDir(Path(place))
        for name, content in step.files.items():
            folder.write(name, content)
        env = environment(os.environ, {**step.env, "CUDA_VISIBLE_DEVICES": ""})
        done = run((str(interpreter(plan)), str(PROGRAM), FILE), cwd=folder.path, env=env)
        value = folder.read_json(TRAINED)
    if done.code or not isinstance(value, dict):
        words = done.err.strip().splitlines()[-1:] or ["no word"]
        raise FtctlError(f"LLaMA-Factory could not look at the template: {words[0]}", "see model.template")
    return value


def verdict(value: Mapping[str, Any]) -> dict[str, Any]:
    """The event that the training would begin with: state, template, conversations."""
    states = {"saved": "same", "given": "same", "template": "rewritten"}
    state = states.get(str(value.get("source")), "unlike")
    return {"state": state, "template": value.get("template"), "conversations": len(value["conversations"])}
