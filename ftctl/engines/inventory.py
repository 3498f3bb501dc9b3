"""What is built, what it weighs, and taking it away again."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ftctl.engines.built import folder_of, read_marker
from ftctl.engines.lock import locks_dir, read_recipe
from ftctl.engines.scrap import exclusive, throw_away
from ftctl.engines.table import ENGINES, Engine, Variant, variants_of
from ftctl.errors import Missing
from ftctl.paths import engines_dir

DRIVER = Path("/proc/driver/nvidia/version")


@dataclass(frozen=True)
class Entry:
    """One variant of one engine: its locked version and, where it is built, the version that is there.

    `layers` are those with trackers over it; `outdated` are environments of earlier locks that nothing uses
    any more.
    """

    engine: str
    variant: str
    locked: str | None
    version: str | None
    folder: Path
    outdated: tuple[Path, ...] = ()
    layers: tuple[Path, ...] = ()


def default_variant(engine: Engine) -> str:
    """cuda where NVIDIA's driver is loaded, else cpu; an engine's only variant where it has one."""
    if len(engine.variants) == 1:
        return engine.variants[0].name
    return "cuda" if DRIVER.exists() else "cpu"


def entries(environ: Mapping[str, str]) -> list[Entry]:
    """Every engine and variant of the table."""
    return [entry(engine, variant, environ) for engine in ENGINES.values() for variant in engine.variants]


def entry(engine: Engine, variant: Variant, environ: Mapping[str, str]) -> Entry:
    """What stands on disk for one variant."""
    recipe = read_recipe(engine, variant, locks_dir())
    folder = folder_of(recipe, engines_dir(environ))
    built = read_marker(folder)
    others = [path for path in _folders(recipe.name, folder.parent) if path != folder]
    layers = tuple(path for path in others if path.name.startswith(f"{folder.name}+"))
    outdated = tuple(path for path in others if path not in layers)
    version = built.version if built else None
    return Entry(engine.name, variant.name, recipe.locked_version, version, folder, outdated, layers)


def remove_engine(engine: Engine, variant: str | None, environ: Mapping[str, str]) -> list[Path]:
    """Remove the environments of an engine, outdated ones too: of one variant, or of all.

    Raises Missing where there is none.
    """
    root, gone = engines_dir(environ), []
    for chosen in variants_of(engine, variant):
        name = f"{engine.name}-{chosen.name}"
        folders = _folders(name, root)
        if folders:
            with exclusive(root, name, lambda: None):
                for folder in folders:
                    throw_away(folder)
        gone += folders
    if not gone:
        raise Missing(f"{engine.title} is not installed", "`ftctl engines list` shows what is")
    return gone


def disk_use(folder: Path) -> int:
    """Bytes on disk under a folder; a file that has links elsewhere (uv's cache) counts in full."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            total += os.lstat(os.path.join(place, name)).st_blocks * 512  # noqa: PTH118 - 40,000 files
    return total


def _folders(name: str, root: Path) -> list[Path]:
    return sorted(path for path in root.glob(f"{name}-*") if path.is_dir())
