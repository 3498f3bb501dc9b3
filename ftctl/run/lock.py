"""The lock on a run: whoever supervises it holds it, and it ends with its process, however that ends."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ftctl.errors import UsageError

LOCK = "run.lock"
POLL = 0.05  # seconds


@contextmanager
def held(run: Path, *, wait: float = 0.0) -> Iterator[None]:
    """Hold the run in `run`; waits up to `wait` seconds for another holder to be done.

    Raises UsageError where another process holds it for longer than that.
    """
    deadline = time.monotonic() + wait
    with open(run / LOCK, "w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise UsageError(
                        f"run {run.name} is in the hands of another process", "see `ftctl runs`"
                    ) from None
            time.sleep(POLL)
        yield
