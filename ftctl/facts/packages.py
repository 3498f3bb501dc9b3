"""Which distributions an engine's environment holds, read from its folder: no interpreter is started."""

from __future__ import annotations

import os
from pathlib import Path


def packages_of(python: Path) -> frozenset[str] | None:
    """The names in lower case with hyphens; None where the interpreter is in no environment of its own.

    Those of a layer of trackers, `NAME+TRACKERS`, are also those of the engine's environment NAME beside it.
    """
    home = python.parent.parent
    below = home.with_name(home.name.partition("+")[0])
    found = _held(home)
    if found is None or below == home:
        return found
    return found | (_held(below) or frozenset())


def _held(home: Path) -> frozenset[str] | None:
    try:
        settings = (home / "pyvenv.cfg").read_text(encoding="utf-8")
        folder = next(home.glob("lib/python3*/site-packages"), None)
        if folder is None or "include-system-site-packages = true" in settings:
            return None
        entries = os.listdir(folder)
    except (OSError, ValueError):
        return None
    return frozenset(
        entry.partition("-")[0].lower().replace("_", "-").replace(".", "-")
        for entry in entries
        if entry.endswith((".dist-info", ".egg-info"))
    )
