"""A job of a stage or method that comes later: its nearest that can be rendered, to compare all else."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from ftctl.importing.draft import Draft
from ftctl.importing.llamafactory_train import TASKS

_STAGES = {task: stage for stage, task in TASKS.items()}
_TRAINS = ("name", "model", "data", "train", "resources")


def nearest_of(draft: Draft) -> Draft:
    """The same training of sft, by LoRA where it is OFT's: what differs is put back by `as_asked`."""
    job = deepcopy({key: value for key, value in draft.job.items() if key in _TRAINS})
    job["train"]["task"] = "sft"
    if job["train"]["method"] == "oft":
        job["train"]["method"] = "lora"
    job.setdefault("data", {}).setdefault("train", "rows.jsonl")
    return Draft(draft.title, draft.schema, job)


def as_asked(draft: Draft, rendered: dict[str, Any]) -> dict[str, Any]:
    """What is rendered of `nearest_of`, with the stage and the method that the job asks for."""
    train = draft.job["train"]
    stage = _STAGES.get(train["task"], train["task"])
    kept = {
        name: value
        for name, value in rendered.items()
        if train["method"] != "oft" or not name.startswith("lora_")
    }
    return kept | {"stage": stage, "finetuning_type": train["method"]}
