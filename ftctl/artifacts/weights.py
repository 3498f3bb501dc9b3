"""Finds a model folder's weights and checks that none is missing or broken."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ftctl.artifacts.reading import MAX_TEMPLATE, MAX_TEXT, parse, read_bytes
from ftctl.artifacts.safetensors import BrokenWeights, Tensor, read_header

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt")


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a stranger's file. Raises BrokenWeights naming the file."""
    value = read_value(path)
    if not isinstance(value, dict):
        raise BrokenWeights(f"{path}: it holds no JSON object")
    return value


def read_value(path: Path) -> Any:
    """Any JSON value from a stranger's file. Raises BrokenWeights naming the file."""
    text = _read(path)
    try:
        return parse(text)
    except ValueError as error:
        raise BrokenWeights(f"{path}: not valid JSON: {error}") from None


def read_template(path: Path) -> str:
    """The text of a stranger's chat template. Raises BrokenWeights naming the file."""
    try:
        return _read(path, MAX_TEMPLATE).decode("utf-8")
    except UnicodeDecodeError as error:
        raise BrokenWeights(f"{path}: not UTF-8 text: {error}") from None


def _read(path: Path, most: int = MAX_TEXT) -> bytes:
    try:
        return read_bytes(path, most)
    except ValueError as error:
        raise BrokenWeights(f"{path}: {error}") from None
    except OSError as error:
        raise BrokenWeights(f"{path}: {error.strerror}") from None


def read_weights(folder: Path) -> Mapping[Path, Mapping[str, Tensor]]:
    """Every weights file of a model folder with its tensors, checked against its size and the index.

    Raises BrokenWeights: no weights, pickled ones only, a missing shard, a tensor that is not where the
    index says, a file that is cut short.
    """
    if (folder / INDEX).exists():
        return _sharded(folder)
    if (folder / SINGLE).exists():
        return {folder / SINGLE: read_header(folder / SINGLE)}
    if any(path for pattern in PICKLED for path in folder.glob(pattern)):
        raise BrokenWeights(
            f"{folder}: its weights are pickled, which runs code when loaded",
            "convert them to safetensors",
        )
    raise BrokenWeights(f"{folder}: it has no weights (no {SINGLE})")


def _sharded(folder: Path) -> dict[Path, Mapping[str, Tensor]]:
    weight_map = read_json(folder / INDEX).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise BrokenWeights(f"{folder / INDEX}: it has no weight_map")
    shards: dict[Path, Mapping[str, Tensor]] = {}
    for name in sorted({str(name) for name in weight_map.values()}):
        # A name with a folder in it could point anywhere.
        if Path(name).name != name or not name.endswith(".safetensors"):
            raise BrokenWeights(f'{folder / INDEX}: "{name}" is no name of a shard')
        if not (folder / name).is_file():
            raise BrokenWeights(f"{folder}: the shard {name} is missing")
        shards[folder / name] = read_header(folder / name)
    for tensor, name in weight_map.items():
        if tensor not in shards[folder / str(name)]:
            raise BrokenWeights(f"{folder / name}: it lacks {tensor}, which the index promises")
    return shards
