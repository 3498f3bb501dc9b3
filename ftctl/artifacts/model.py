"""What training left behind, once it has been verified."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Artifact:
    """Complete weights with their tokenizer and chat template.

    `kind` is model (whole weights), adapter (LoRA weights, to be attached to `base`) or hub (a model that
    is still on a Hub: `path` is its id and nothing was verified). `base` is the base model's path or Hub
    id where there is one. `hashes` maps file names in `path` to sha256.
    """

    kind: str
    path: Path
    base: str | None = None
    architecture: str | None = None
    dtype: str | None = None
    lora_rank: int | None = None
    hashes: Mapping[str, str] = field(default_factory=dict)
    has_chat_template: bool | None = None
