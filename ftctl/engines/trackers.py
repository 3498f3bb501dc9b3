"""Trackers beside an engine: a layer of packages over its environment, from a lock that fits the engine's.

A layer is an environment of its own that holds the trackers' packages and finds all else in the engine's.
No version of the engine moves, and who reports nowhere has none of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ftctl.engines.lock import Recipe
from ftctl.errors import Missing, UsageError

LINK = "ftctl_engine.pth"  # in a layer's site-packages: where the engine's packages are
BLOCK = re.compile(r"(?m)^(?=[A-Za-z0-9])")
NEEDED = re.compile(r"^ +# for (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Tracker:
    """One tracker: the distribution that brings it, and the module that must import."""

    distribution: str
    module: str


TRACKERS: Mapping[str, Tracker] = {
    "tensorboard": Tracker("tensorboard", "tensorboard"),
    "mlflow": Tracker("mlflow-skinny", "mlflow"),
    "wandb": Tracker("wandb", "wandb"),
    "swanlab": Tracker("swanlab", "swanlab"),
    "trackio": Tracker("trackio", "trackio"),
}

# Packages of an engine that no training imports (LLaMA-Factory's are its web page's): a layer may bring
# releases of its own.
LOOSE: Mapping[str, frozenset[str]] = {
    "llamafactory": frozenset({"gradio", "gradio-client", "starlette", "fastapi"})
}


def trackers_named(text: str) -> tuple[str, ...]:
    """The trackers in a list with commas, in the order of the alphabet. Raises UsageError for others."""
    names = {name.strip() for name in text.split(",") if name.strip()}
    unknown = sorted(names - set(TRACKERS))
    if unknown:
        raise UsageError(f"there is no tracker {unknown[0]!r}", f"the trackers are {', '.join(TRACKERS)}")
    return tuple(sorted(names))


def with_trackers(base: Recipe, trackers: Iterable[str], locks: Path) -> Recipe:
    """The recipe of a layer over `base`, its lock file in `locks`. Raises Missing where there is no lock."""
    names = tuple(sorted(trackers))
    path = locks / f"{base.name}.trackers.lock"
    try:
        text = path.read_text()
    except FileNotFoundError:
        raise Missing(
            f"there is no lock file of trackers for {base.title}: {path}",
            f"make it with `ftctl engines lock {base.engine.name} --variant {base.variant.name}`",
        ) from None
    return Recipe(base.engine, base.variant, needed_by(text, names), base, names)


def needed_by(lock: str, trackers: Iterable[str]) -> str:
    """The part of a lock that these trackers need, by its comments: `# for mlflow, wandb`."""
    wanted = set(trackers)
    return "".join(block for block in BLOCK.split(lock) if wanted & _needing(block))


def _needing(block: str) -> set[str]:
    found = NEEDED.search(block)
    return set(found[1].split(", ")) if found else set()


def link(packages: Path, engine: Path) -> None:
    """Let a layer's `packages` find those of the engine, whose own .pth files count too."""
    (packages / LINK).write_text(f"import site; site.addsitedir({str(engine)!r})\n")
