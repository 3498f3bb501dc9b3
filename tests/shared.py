"""What the worker processes of one test run share: things made once, and turns at running engines."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

TURNS = 2  # engines at once on this machine: more would starve each other into timeouts


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """The folder `name` of the whole test run; the first worker that asks makes it, the others wait.

    `make` creates the folder. What it leaves where it fails is removed by the next that asks.
    """
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent  # each worker has a folder of its own in that of the run
    folder, made = root / name, root / f"{name}.made"
    with open(root / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)
            make(folder)
            made.touch()
    return folder


@contextmanager
def turn() -> Iterator[None]:
    """Hold one of the machine's turns at running engines; waits until one is free."""
    stem = f"ftctl-engine-tests-{os.getuid()}"
    while True:
        for number in range(TURNS):
            with open(Path(tempfile.gettempdir()) / f"{stem}-{number}.lock", "w") as lock:
                if _locked(lock.fileno()):
                    yield
                    return
        time.sleep(0.2)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
