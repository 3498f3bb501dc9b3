"""Asking installed engines how they are: a real import of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ftctl.engines.built import python_of
from ftctl.engines.health import check
from ftctl.engines.inventory import disk_use, entry
from ftctl.engines.locate import users_python
from ftctl.engines.table import ENGINES, Engine, find
from ftctl.errors import FtctlError


@dataclass(frozen=True)
class Diagnosis:
    """One environment's answer; `problem` is None where it is healthy. `bytes` is its size on disk."""

    engine: str
    variant: str
    interpreter: Path
    bytes: int
    version: str | None = None
    torch: str | None = None
    python: str | None = None
    problem: str | None = None


def diagnose(name: str | None, environ: Mapping[str, str]) -> list[Diagnosis]:
    """Import each installed engine, or the one that is named; a user's own interpreter counts too."""
    engines = ENGINES.values() if name is None else (find(name),)
    found = []
    for engine in engines:
        own, _ = users_python(engine, None, environ)
        if own is not None:
            found.append(_ask(engine, "user", own, 0, environ))
        for variant in engine.variants:
            seen = entry(engine, variant, environ)
            if seen.version:
                size = disk_use(seen.folder)
                found.append(_ask(engine, variant.name, python_of(seen.folder), size, environ))
    return found


def _ask(engine: Engine, variant: str, python: Path, size: int, environ: Mapping[str, str]) -> Diagnosis:
    asked = [one.distribution for one in engine.variants if variant in ("user", one.name)]
    try:
        health = check(python, modules=engine.modules, asked=asked, environ=environ)
    except (FtctlError, OSError) as error:
        return Diagnosis(engine.name, variant, python, size, problem=str(error))
    return Diagnosis(engine.name, variant, python, size, health.version, health.torch, health.python)
