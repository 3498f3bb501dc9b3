"""What a rule looks at: the arguments as they will be written, and the place where they will be used."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Arguments = Mapping[str, Any]


@dataclass(frozen=True)
class Place:
    """Where the arguments will be used. None stands for "not known", and no rule then speaks of it.

    `gpus` counts those in use (0: the CPU); `packages` are the distributions of the engine's environment,
    names in lower case with hyphens; `deepspeed` is the content of the DeepSpeed file that the arguments
    name; `output` says what the output folder holds: nothing (""), "weights" or "checkpoints". `heads` are
    the model's attention heads, and `model_type` is that of its configuration.
    """

    gpus: int = 0
    world_size: int = 1
    bf16: bool | None = None
    packages: frozenset[str] | None = None
    deepspeed: Mapping[str, Any] | None = None
    output: str = ""
    heads: int | None = None
    model_type: str | None = None


@dataclass(frozen=True)
class Setting:
    """Arguments under the engine's own names, in their place.

    `command` is the engine's program, such as `train` or `export`; `defaults` is what the engine takes where
    nothing is written.
    """

    arguments: Arguments
    place: Place = field(default_factory=Place)
    command: str = "train"
    defaults: Arguments = field(default_factory=dict)

    def get(self, name: str) -> Any:
        """The value that the engine will see: what is written, else its default, else None.

        `argument.key` is a key of an argument that is a mapping, or JSON as text.
        """
        if name in self.arguments:
            return self.arguments[name]
        argument, dot, key = name.partition(".")
        inner = _mapping(self.arguments.get(argument)).get(key) if dot else None
        return self.defaults.get(name) if inner is None else inner

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
        if isinstance(value, Mapping) or (isinstance(value, str) and value.startswith("{")):
            return _mapping(value) or None
        return self.place.deepspeed if value else None

    @property
    def zero(self) -> int | None:
        """The ZeRO stage of the DeepSpeed configuration; None without one."""
        found = (self.deepspeed or {}).get("zero_optimization")
        stage = found.get("stage") if isinstance(found, Mapping) else None
        return stage if isinstance(stage, int) else None


def _mapping(value: Any) -> Mapping[str, Any]:
    """A mapping, or JSON of one as text; empty for anything else."""
    if isinstance(value, str) and value.startswith("{"):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, Mapping) else {}
