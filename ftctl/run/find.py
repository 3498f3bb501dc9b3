"""Find a run by its directory, its id, or the name of its job (the newest)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ftctl.errors import UsageError


def is_run(path: Path) -> bool:
    return (path / "run.json").is_file()


def runs_root() -> Path:
    """Where runs are kept: $FTCTL_RUNS, else `runs` in the working directory."""
    return Path(os.environ.get("FTCTL_RUNS") or "runs").absolute()


def known_runs() -> Iterator[Path]:
    """Every run under the runs folder and in the registry, each once."""
    from ftctl.registry import runs

    seen = set()
    for path in (*sorted(runs_root().glob("*/*")), *(entry.directory for entry in runs())):
        if path not in seen and is_run(path):
            seen.add(path)
            yield path


def lookup(text: str) -> Path | None:
    """The run that `text` names; None if there is none. Raises UsageError where a short id fits several."""
    path = Path(text)
    if is_run(path):
        return path.absolute()
    named = sorted((run for run in known_runs() if run.parent.name == text), key=lambda run: run.name)
    if named:
        return named[-1]
    fitting = [run for run in known_runs() if run.name.startswith(text) or run.name.endswith(text)]
    if len(fitting) > 1:
        raise UsageError(f"{text} fits {len(fitting)} runs", "give the whole id, see `ftctl runs`")
    return fitting[0] if fitting else None
