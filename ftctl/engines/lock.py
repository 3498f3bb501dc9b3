"""Lock files: the exact, hash-checked packages of one environment."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ftctl.engines.table import Engine, Variant
from ftctl.errors import Missing
from ftctl.paths import bundled

REQUIREMENT = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==(\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Recipe:
    """All that decides what one environment holds; `lock` is the text of its lock file.

    With a `base` it is a layer of `trackers` over the environment of that recipe (`engines/trackers.py`).
    """

    engine: Engine
    variant: Variant
    lock: str
    base: Recipe | None = None
    trackers: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What the environment is called in file names."""
        return "+".join((f"{self.engine.name}-{self.variant.name}", *self.trackers))

    @property
    def title(self) -> str:
        """What the environment is called in messages."""
        title = f"{self.engine.title} ({self.variant.name})"
        return f"{', '.join(self.trackers)} for {title}" if self.trackers else title

    @cached_property
    def packages(self) -> dict[str, str]:
        """Package names and their exact versions."""
        return locked(self.lock)

    @property
    def locked_version(self) -> str | None:
        """The engine's version in the lock, by the index's spelling of its name."""
        wanted = self.variant.distribution.lower().replace("_", "-")
        return next((version for name, version in self.packages.items() if name.lower() == wanted), None)

    @cached_property
    def digest(self) -> str:
        """The sha256 of the recipe, in hex: another recipe makes another environment."""
        if self.base is not None:
            return hashlib.sha256(f"{self.lock}\n{self.base.digest}".encode()).hexdigest()
        rest = repr((self.engine.python, self.variant.prune, self.variant.alias))
        return hashlib.sha256(f"{self.lock}\n{rest}".encode()).hexdigest()


def locked(text: str) -> dict[str, str]:
    """The names and exact versions in a lock's text."""
    return dict(REQUIREMENT.findall(text))


def locks_dir() -> Path:
    """The folder of the lock files and of what they are made from."""
    return bundled("configs") / "engines"


def read_recipe(engine: Engine, variant: Variant, locks: Path) -> Recipe:
    """The recipe of one variant, its lock file in `locks`. Raises Missing where there is no lock."""
    path = locks / f"{engine.name}-{variant.name}.lock"
    try:
        return Recipe(engine, variant, path.read_text())
    except FileNotFoundError:
        raise Missing(
            f"there is no lock file for {engine.title} ({variant.name}): {path}",
            f"make it with `ftctl engines lock {engine.name} --variant {variant.name}`",
        ) from None


def split_local(text: str) -> tuple[str, str]:
    """A lock's text in two: the packages of a local version (`torch==2.13.0+cpu`), and all others.

    Local versions are on no general index, and an index that has them has other builds of the others.
    """
    blocks = re.split(r"(?m)^(?=[A-Za-z0-9])", text)
    local = [block for block in blocks if "+" in block.split("\n", 1)[0].split(";")[0]]
    return "".join(local), "".join(block for block in blocks if block not in local)
