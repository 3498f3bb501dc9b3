"""Remove runs that have ended, and nothing that anyone still needs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ftctl import registry
from ftctl.deployments import store
from ftctl.errors import FtctlError, UsageError
from ftctl.process import own_session
from ftctl.run.directory import RunDir
from ftctl.run.lock import held
from ftctl.run.state import LIVE, engine, state_of

REMOVING = ".removing-"  # a folder of this beginning is no run any more


@dataclass(frozen=True)
class Removal:
    """A run that may be removed, its state, and the bytes on disk that this frees."""

    run: Path
    name: str
    state: str
    frees: int


def removals(runs: Iterable[Path]) -> list[Removal]:
    """What removing these runs would free; nothing is touched.

    Raises UsageError where one of them is running, or a deployment serves from it.
    """
    serving = [entry for entry in store.entries() if store.lives(entry)]
    return [_removal(run.resolve(), serving) for run in runs]


def remove(removal: Removal) -> None:
    """Remove one run, and the folder of its job with the last one.

    It is moved aside first, so that one which a kill leaves half removed is not taken for a run; the next
    removal there clears it away. Raises UsageError where it has been started again meanwhile, FtctlError
    where it cannot be removed.
    """
    run, aside = removal.run, removal.run.with_name(REMOVING + removal.run.name)
    try:
        with held(run):  # whoever resumes it holds it, and so does its supervisor
            run.rename(aside)
        if state_of(aside).state in LIVE:
            aside.rename(run)
            raise UsageError(f"the run {run.name} has just been started again")
        for folder in run.parent.glob(f"{REMOVING}*"):
            shutil.rmtree(folder)
        if not os.listdir(run.parent):
            run.parent.rmdir()
    except OSError as error:
        raise FtctlError(f"cannot remove {error.filename or run}: {error.strerror}") from error
    registry.forget([str(run)])


def _removal(run: Path, serving: Sequence[store.Entry]) -> Removal:
    state = state_of(run)
    if state.state in LIVE:
        raise UsageError(f"the run {state.id} is {state.state}", f"end it first: ftctl stop {state.id}")
    process = engine(RunDir(run))
    if process is not None and own_session(process):
        remedy = f"end it first: ftctl stop {state.id} --now"
        raise UsageError(f"the engine of the run {state.id} still runs", remedy)
    for entry in serving:
        if _serves_from(entry, run):
            remedy = f"stop it first: ftctl stop {entry.name}"
            raise UsageError(f"the deployment {entry.name} serves from the run {state.id}", remedy)
    return Removal(run, state.name, state.state, disk_usage(run))


def _serves_from(entry: store.Entry, run: Path) -> bool:
    told = (entry.deployment.run, entry.deployment.artifact)
    return any(path and Path(path).resolve().is_relative_to(run) for path in told)


def disk_usage(folder: Path) -> int:
    """The bytes that a folder takes on disk: links are not followed, and a file of two names counts once."""
    seen: set[tuple[int, int]] = set()
    total = 0
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            found = os.lstat(f"{parent}/{name}")
            if (found.st_dev, found.st_ino) not in seen:
                seen.add((found.st_dev, found.st_ino))
                total += found.st_blocks * 512
    return total
