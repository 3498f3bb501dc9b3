"""Find a run by its directory, its id, or the name of its job (the newest)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ftctl.errors import UsageError
from ftctl.run.directory import CREATOR
from ftctl.run.index import matching
from ftctl.run.roots import runs_root

__all__ = ["find", "is_left", "is_run", "lookup", "one", "runs_of", "runs_root"]


def is_run(path: Path) -> bool:
    return (path / "run.json").is_file()


def is_left(path: Path) -> bool:
    """Whether a run was begun there, be it that it was never made whole."""
    return is_run(path) or (path / CREATOR).is_file()


def runs_of(job: str) -> list[Path]:
    """Every run of the job called `job`, the newest first."""
    return [run for run in _newest(matching(job)[0]) if is_run(run)]


def lookup(text: str, *, half: bool = False) -> Path | None:
    """The run that `text` names; None if there is none. `half`: also one that was never made whole.

    Raises UsageError where a part of an id fits several.
    """
    there = is_left if half else is_run
    path = Path(text)
    if there(path):
        return path.absolute()
    named, fitting = matching(text)
    newest = next((run for run in _newest(named) if there(run)), None)
    return newest or _by_id(text, fitting, there)


def find(text: str, *, half: bool = False) -> Path:
    """The run that `text` names, as `lookup` finds it. Raises UsageError where there is none."""
    return _found(text, lookup(text, half=half))


def one(text: str) -> Path:
    """The run of an id or folder, and never of a job's name, which may stand for many; half made ones too.

    Raises UsageError where there is none, or several.
    """
    path = Path(text)
    if is_left(path):
        return path.absolute()
    named, fitting = matching(text)
    run = _by_id(text, fitting, is_left)
    if run is None and named:
        raise UsageError(f"{text} is the name of a job, not one run", f"its runs: ftctl runs --name {text}")
    return _found(text, run)


def _newest(runs: list[Path]) -> list[Path]:
    return sorted(runs, key=lambda run: run.name, reverse=True)


def _by_id(text: str, candidates: list[Path], there: Callable[[Path], bool]) -> Path | None:
    fitting = [run for run in candidates if there(run)]
    if len(fitting) > 1:
        raise UsageError(f"{text} fits {len(fitting)} runs", "give the whole id, see `ftctl runs`")
    return fitting[0] if fitting else None


def _found(text: str, run: Path | None) -> Path:
    if run is None:
        raise UsageError(f"there is no run called {text}", "ftctl runs lists them")
    return run
