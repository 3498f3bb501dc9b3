"""Reads the DeepSpeed configuration that a job names, and says what the engine could not use of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ftctl.errors import UsageError

STAGES = (0, 1, 2, 3)
# transformers 5.6 (integrations/deepspeed.py) holds these against its own arguments and refuses a difference.
BATCH = ("train_micro_batch_size_per_gpu", "gradient_accumulation_steps", "train_batch_size")


def deepspeed_faults(value: Any) -> list[tuple[str, str]]:
    """What is wrong with `native.deepspeed`, and the way out."""
    if isinstance(value, Mapping):
        return _config(value, "it")
    if not isinstance(value, str):
        return [("must be the path of a JSON file, or the mapping itself", "write deepspeed: ds_z2.json")]
    try:
        return _config(_read(Path(value)), value)
    except UsageError as error:
        return [(error.message, error.remedy)]


def _read(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        what = "it is a folder" if path.is_dir() else "there is no such file"
        raise UsageError(f"{path}: {what}", "correct the path")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        where = f"{path}:{error.lineno}:{error.colno}"
        raise UsageError(f"{where}: not valid JSON: {error.msg}", "correct the file") from None
    except (ValueError, RecursionError):
        raise UsageError(f"{path}: not readable JSON", "write it as UTF-8 text") from None
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", "make it readable") from None
    if not isinstance(config, dict):
        raise UsageError(f"{path}: it holds no JSON object", "write a DeepSpeed configuration")
    return config


def _config(config: Mapping[str, Any], named: str) -> list[tuple[str, str]]:
    zero = config.get("zero_optimization")
    if not isinstance(zero, Mapping):
        return [
            (f"{named}: it has no zero_optimization", "add zero_optimization: {stage: 2}, or another stage")
        ]
    stage = zero.get("stage", 0)
    if type(stage) is not int or stage not in STAGES:
        return [(f"{named}: zero_optimization.stage is {stage!r}", "write 0, 1, 2 or 3")]
    return [
        (
            f"{named}: {key} is {config[key]!r}, which must be the job's own",
            "write auto, and set it in the job",
        )
        for key in BATCH
        if config.get(key, "auto") != "auto"
    ]


def deepspeed_config(value: Any) -> Mapping[str, Any] | None:
    """What the JSON file at an absolute path holds; None where that is not what `value` is."""
    if not isinstance(value, str) or not value.startswith("/"):
        return None
    try:
        return _read(Path(value))
    except UsageError:
        return None
