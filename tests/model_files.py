"""Writes small model folders by hand, so that tests can break them in one place at a time."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

SHAPES = {"model.embed_tokens.weight": [8, 4], "model.norm.weight": [4]}


def safetensors(shapes: Mapping[str, list[int]]) -> bytes:
    """A whole safetensors file of fp32 zeros."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, shape in shapes.items():
        start, end = end, end + 4 * prod(shape)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(end)


def write_model(folder: Path, *, shards: bool = False) -> Path:
    """A complete model folder of 36 parameters; with `shards` one file for each tensor, and an index."""
    folder.mkdir(parents=True)
    config = {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "max_position_embeddings": 64,
        "tie_word_embeddings": True,
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text("{}")
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{{ messages }}"}))
    if not shards:
        (folder / "model.safetensors").write_bytes(safetensors(SHAPES))
        return folder
    weight_map = {}
    for number, (name, shape) in enumerate(SHAPES.items(), 1):
        file = f"model-{number:05}-of-00002.safetensors"
        (folder / file).write_bytes(safetensors({name: shape}))
        weight_map[name] = file
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    return folder


def write_adapter(folder: Path, base: str, *, rank: int = 8) -> Path:
    """A LoRA adapter's folder."""
    folder.mkdir(parents=True)
    config = {"peft_type": "LORA", "r": rank, "base_model_name_or_path": base}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    weights = safetensors({"base_model.model.q_proj.lora_A.weight": [rank, 4]})
    (folder / "adapter_model.safetensors").write_bytes(weights)
    return folder
