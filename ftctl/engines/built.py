"""Built environments on disk: where one lies, and the marker that says it is ready."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from ftctl.engines.lock import Recipe

MARKER = "ftctl-engine.json"


@dataclass(frozen=True)
class Built:
    """The marker of a ready environment. `lock` is its recipe's digest, `at` seconds since the epoch."""

    name: str
    variant: str
    version: str
    lock: str
    at: float


def folder_of(recipe: Recipe, root: Path) -> Path:
    """Where the environment of this very recipe is, or will be."""
    if recipe.base is None:
        return root / f"{recipe.name}-{recipe.digest[:8]}"
    below = "+".join((folder_of(recipe.base, root).name, *recipe.trackers))
    return root / f"{below}-{recipe.digest[:8]}"


def python_of(folder: Path) -> Path:
    """The interpreter of an environment."""
    return folder / "bin" / "python"


def site_packages(folder: Path, python: str) -> Path:
    """Where an environment's packages lie."""
    return folder / "lib" / f"python{python}" / "site-packages"


def read_marker(folder: Path) -> Built | None:
    """The marker of a ready environment; None where it is absent, unreadable, or its Python has gone."""
    try:
        value = json.loads((folder / MARKER).read_text())
        built = Built(**value)
    except (OSError, ValueError, TypeError):
        return None
    return built if os.access(python_of(folder), os.X_OK) else None


def write_marker(folder: Path, built: Built) -> None:
    """Mark a checked environment as ready."""
    (folder / MARKER).write_text(json.dumps(asdict(built), indent=2) + "\n")
