"""Writes LoRA adapters by hand, whose random weights fit a given model."""

from __future__ import annotations

import json
import random
import struct
from pathlib import Path
from typing import Any


def write_lora(folder: Path, base: Path, *, rank: int = 8, seed: int = 0, **config: Any) -> Path:
    """An adapter of the up projections of `base`; `config` goes into its adapter_config.json."""
    shape = json.loads((base / "config.json").read_text())
    draw = random.Random(seed)
    header: dict[str, Any] = {}
    body = b""
    for layer in range(shape["num_hidden_layers"]):
        stem = f"base_model.model.model.layers.{layer}.mlp.up_proj.lora_"
        for part, rows, columns in (
            ("A", rank, shape["hidden_size"]),
            ("B", shape["intermediate_size"], rank),
        ):
            count = rows * columns
            drawn = struct.pack(f"<{count}f", *(draw.gauss(0.0, 1.0) for _ in range(count)))
            place = [len(body), len(body) + len(drawn)]
            header[f"{stem}{part}.weight"] = {"dtype": "F32", "shape": [rows, columns], "data_offsets": place}
            body += drawn
    folder.mkdir(parents=True)
    text = json.dumps(header).encode()
    (folder / "adapter_model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + body)
    said = {
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "r": rank, "lora_alpha": 2 * rank, "bias": "none",
        "target_modules": ["up_proj"], "base_model_name_or_path": str(base),
    }  # fmt: skip
    (folder / "adapter_config.json").write_text(json.dumps({**said, **config}))
    return folder
