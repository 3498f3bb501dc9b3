"""What a rule looks at: the arguments as they will be written, and the place where they will be used."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Arguments = Mapping[str, Any]

# What LLaMA-Factory 0.9.5 and transformers 5.6.0 take where nothing is written; a test asks the engine.
DEFAULTS: Arguments = {
    "badam_mode": "layer", "badam_update_ratio": 0.05, "cutoff_len": 2048, "dataloader_num_workers": 0,
    "dpo_label_smoothing": 0.0, "eval_strategy": "no", "finetuning_type": "lora", "flash_attn": "auto",
    "freeze_trainable_layers": 2, "fp8_backend": "auto", "gradient_accumulation_steps": 1,
    "hub_strategy": "every_save", "image_max_pixels": 589824, "image_min_pixels": 1024,
    "infer_backend": "huggingface", "init_special_tokens": "noise_init", "logging_steps": 500,
    "logging_strategy": "steps", "lora_alpha": None, "lora_rank": 8, "lr_scheduler_type": "linear",
    "max_steps": -1, "mix_strategy": "concat", "oft_block_size": 32, "oft_rank": 0,
    "optim": "adamw_torch_fused", "pref_loss": "sigmoid", "project": "huggingface",
    "quantization_method": "bnb", "reward_model_type": "lora", "save_steps": 500, "save_strategy": "steps",
    "stage": "sft", "val_size": 0.0, "video_max_pixels": 65536, "video_min_pixels": 256,
    "warmup_steps": 0,
}  # fmt: skip


@dataclass(frozen=True)
class Place:
    """Where the arguments will be used. None stands for "not known", and no rule then speaks of it.

    `gpus` counts those in use (0: the CPU); `packages` are the distributions of the engine's environment,
    names in lower case with hyphens; `deepspeed` is the content of the DeepSpeed file that the arguments
    name; `output` says what the output folder holds: nothing (""), "weights" or "checkpoints".
    """

    gpus: int = 0
    world_size: int = 1
    bf16: bool | None = None
    packages: frozenset[str] | None = None
    deepspeed: Mapping[str, Any] | None = None
    output: str = ""


@dataclass(frozen=True)
class Setting:
    """Arguments under the engine's own names, in their place. `command` is `train` or `export`."""

    arguments: Arguments
    place: Place = field(default_factory=Place)
    command: str = "train"

    def get(self, name: str) -> Any:
        """The value that the engine will see: what is written, else its default, else None."""
        return self.arguments[name] if name in self.arguments else DEFAULTS.get(name)

    def number(self, name: str) -> float | None:
        """The value where it is a number; None where it is anything else."""
        value = self.get(name)
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None

    def words(self, name: str) -> tuple[str, ...]:
        """A list, or a text of words with commas between, as the engine splits it; () where not set."""
        value = self.get(name)
        if isinstance(value, str):
            return tuple(word.strip() for word in value.split(","))
        return tuple(map(str, value)) if isinstance(value, list | tuple) else ()

    @property
    def deepspeed(self) -> Mapping[str, Any] | None:
        """The DeepSpeed configuration, where one is asked for and can be known."""
        value = self.get("deepspeed")
        if isinstance(value, str) and value.startswith("{"):
            try:
                value = json.loads(value)
            except ValueError:
                return None
        if isinstance(value, Mapping):
            return value
        return self.place.deepspeed if value else None

    @property
    def zero(self) -> int | None:
        """The ZeRO stage of the DeepSpeed configuration; None without one."""
        found = (self.deepspeed or {}).get("zero_optimization")
        stage = found.get("stage") if isinstance(found, Mapping) else None
        return stage if isinstance(stage, int) else None
