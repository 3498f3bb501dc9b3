"""Verifies what training left behind: complete, readable, and hashed. Nothing verified, nothing served."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from ftctl.artifacts.model import Artifact
from ftctl.artifacts.reading import strange
from ftctl.artifacts.safetensors import BrokenWeights, read_header
from ftctl.artifacts.weights import read_json
from ftctl.errors import FtctlError, UsageError
from ftctl.facts.model_dir import model_facts, weights_dtype

AGAIN = "see engine.log in the run for what happened, then train again"
ADAPTER = "adapter_model.safetensors"


def verify_model(path: Path, *, hashes: bool = True) -> Artifact:
    """The artifact in a folder of whole weights.

    Raises FtctlError naming the file and what is wrong with it: config, tokenizer, a weights file that is
    cut short, a missing shard. With `hashes` every file is read whole.
    """
    try:
        found = model_in(path)
    except UsageError as error:
        raise FtctlError(f"the result is not complete: {error.message}", AGAIN) from None
    return replace(found, hashes=file_hashes(path)) if hashes else found


def model_in(path: Path) -> Artifact:
    """The artifact in a folder of whole weights, whoever made it, none of them read. Raises UsageError."""
    facts = model_facts(path)
    return Artifact(
        kind="model",
        path=path,
        architecture=facts.architecture,
        dtype=facts.dtype,
        has_chat_template=bool(facts.has_chat_template),
    )


def verify_adapter(path: Path, base: str) -> Artifact:
    """The artifact in a folder of LoRA weights for `base` (a path or a Hub id). Raises FtctlError."""
    try:
        found = _adapter(path, base)
    except BrokenWeights as error:
        raise FtctlError(f"the result is not complete: {error.message}", AGAIN) from None
    return replace(found, hashes=file_hashes(path))


def adapter_in(path: Path, base: str) -> Artifact:
    """The artifact in a folder of LoRA weights, whoever made it, none of them read. Raises UsageError."""
    try:
        return _adapter(path, base)
    except BrokenWeights as error:
        raise UsageError(error.message, error.remedy or "copy or download the adapter again") from None


def _adapter(path: Path, base: str) -> Artifact:
    for said in strange(path, anywhere=()):
        raise BrokenWeights(f"{path}: {said}", "copy the file itself")
    config = read_json(path / "adapter_config.json")
    rank = config.get("r")
    if not isinstance(rank, int):
        raise BrokenWeights(f"{path / 'adapter_config.json'}: it has no rank (r)")
    trained_on = str(config.get("base_model_name_or_path") or "")
    if not _same_model(trained_on, base, path.parent):
        raise BrokenWeights(f'{path}: it was trained on "{trained_on}", not on "{base}"')
    if not (path / ADAPTER).is_file() and any(path.glob("adapter_model.bin")):
        raise BrokenWeights(f"{path}: its weights are pickled, which runs code when loaded")
    tensors = read_header(path / ADAPTER)
    if not tensors:
        raise BrokenWeights(f"{path / ADAPTER}: it holds no weights")
    return Artifact(
        kind="adapter",
        path=path,
        base=base,
        dtype=weights_dtype(tensors),
        lora_rank=rank,
    )


def _same_model(trained_on: str, base: str, run: Path) -> bool:
    """Whether two names mean one model: equal, or one folder; the engine's is relative to the run."""
    if trained_on == base:
        return True
    paths = (run / trained_on, Path(base))
    return bool(trained_on) and all(map(Path.is_dir, paths)) and paths[0].resolve() == paths[1].resolve()


def file_hashes(folder: Path) -> dict[str, str]:
    """sha256 of every file directly in a folder, by name; checkpoints in folders below are left out."""
    found = {}
    for path in sorted(folder.iterdir()):
        if path.is_file():
            with open(path, "rb") as file:
                found[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found
