"""Runs of the stand-in engine for tests: made as `ftctl train` makes them, launched for real."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ftctl.launchers import launcher
from ftctl.rendered import Rendered
from ftctl.run.control import stop
from ftctl.run.create import create
from ftctl.run.directory import RunDir
from ftctl.run.state import LIVE, standing
from tests.plans import plan

ENGINE = str(Path(__file__).with_name("engine.py"))
Launch = Callable[..., RunDir]


@contextmanager
def launching(root: Path) -> Iterator[Launch]:
    """Gives a function that launches a run under `root` with these options; what still runs is ended."""
    runs: list[RunDir] = []

    def launch(*options: str) -> RunDir:
        run = create(plan(), {"train": Rendered((sys.executable, ENGINE, *options))}, root)
        runs.append(run)
        launcher("local").submit(run.path)
        return run

    try:
        yield launch
    finally:
        for run in runs:
            if run.path.exists() and standing(run.path) in LIVE:
                stop(run.path, now=True)
