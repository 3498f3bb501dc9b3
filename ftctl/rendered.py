"""What rendering makes: an argument tuple, an environment and files. Never a shell string."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Rendered:
    """One command of an engine, complete.

    `argv` starts with the engine's interpreter. `env` is what ftctl sets on top of the inherited
    environment; a value of None unsets the name. `files` maps paths relative to the working directory
    to their content, `links` to what a symbolic link there points to. `scratch` are folders there that
    nobody needs once the command has succeeded.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str | None] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, Path] = field(default_factory=dict)
    scratch: tuple[str, ...] = ()


def environment(base: Mapping[str, str], changes: Mapping[str, str | None]) -> dict[str, str]:
    """The environment a command runs in: `base` with `changes` applied, None taking a name away."""
    merged = {key: value for key, value in base.items() if changes.get(key, "") is not None}
    merged.update({key: value for key, value in changes.items() if value is not None})
    return merged
