"""Files that are near to what can be imported: what each is, and what to import in its place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ftctl.errors import Problem
from ftctl.importing.source import Source

_BY_KEYS: tuple[tuple[frozenset[str], str, str], ...] = (
    (frozenset(("name", "model")), "this is a job of ftctl already", "validate it with ftctl validate"),
    (
        frozenset(("train_dataset", "model")),
        "this is a config of LLaMA-Factory's rewrite (USE_V1), which has other keys",
        "import its v0 config",
    ),
    (
        frozenset(("peft_config", "model")),
        "this is a config of LLaMA-Factory's rewrite (USE_V1), which has other keys",
        "import its v0 config",
    ),
    (
        frozenset(("distributed_type", "num_processes")),
        "this is a config of accelerate: it says how to start a training, not what to train",
        "import the training config that it starts, with --gpus for its num_processes",
    ),
    (
        frozenset(("zero_optimization",)),
        "this is a DeepSpeed file: it says how a training is shared, not what to train",
        "import the training config that names it; the job then says train.native.deepspeed",
    ),
)
_CONFIG = re.compile(r"\.(?:ya?ml|json)$")
_PREPARES = re.compile(r"(?:^|/)scripts/\w+\.py$")
_SPECIAL = re.compile(r"<[^<>]+>|\[[^\[\]]+\]")


def near_miss(source: Source) -> Problem | None:
    """Why a file that no origin takes cannot be imported, where it is of a kind that is known."""
    document = source.document
    for needed, message, remedy in _BY_KEYS:
        if needed <= document.keys():
            return source.refuse("", message, remedy)
    said = _rows(document) or _tokens(document) or _script(source)
    return None if said is None else source.refuse("", *said)


def _rows(document: Mapping[str, Any]) -> tuple[str, str] | None:
    where = {"file_name", "hf_hub_url", "ms_hub_url", "om_hub_url", "script_url", "cloud_file_name"}
    if document and all(isinstance(entry, Mapping) and where & entry.keys() for entry in document.values()):
        return (
            "this is LLaMA-Factory's dataset_info.json: it says where rows are, not what to train",
            "import the config that names its datasets, with --dataset-info for this file",
        )
    return None


def _tokens(document: Mapping[str, Any]) -> tuple[str, str] | None:
    if document and all(_SPECIAL.fullmatch(str(key)) for key in document):
        return (
            "this describes special tokens for LLaMA-Factory: it says nothing of what to train",
            "import the training config that names it; the job then says "
            "train.native.new_special_tokens_config",
        )
    return None


def _script(source: Source) -> tuple[str, str] | None:
    """A shell script whose work lies in another file."""
    for command in source.commands:
        words = command.words
        trains = [
            index for index, word in enumerate(words)
            if word.endswith(("llamafactory-cli", "src/train.py")) or word == "lmf"
        ]  # fmt: skip
        files = [word for word in words[trains[0] :] if _CONFIG.search(word)] if trains else []
        if files:
            return (
                f"this script starts the config {files[0]}, and says nothing itself of what to train",
                "import that file, with --gpus for the number of processes",
            )
        script = next((word for word in words if _PREPARES.search(word)), None)
        if script is not None:
            return (
                f"this script prepares a model by LLaMA-Factory's {script}, and trains nothing",
                "run it as it is, and import the training config that takes its result",
            )
    return None
