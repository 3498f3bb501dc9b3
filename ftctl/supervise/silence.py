"""How long an engine has given no sign of life: neither an event nor a byte of its log."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

WARN = 1800.0  # seconds of silence that are worth a warning


class Silence:
    """Watches one engine; `limit` is the silence in seconds after which it counts as stalled, None: never."""

    def __init__(self, log: Path, limit: float | None, warn: Callable[[str], object]) -> None:
        self.log = log
        self.limit = limit
        self.warn = warn
        self.size = -1
        self.since = time.monotonic()
        self.warned = False

    def stalled(self, heard: bool) -> float | None:
        """The seconds of silence where there are too many; `heard` says that there were events just now."""
        size = self.log.stat().st_size
        if heard or size != self.size:
            self.size, self.since, self.warned = size, time.monotonic(), False
            return None
        silent = time.monotonic() - self.since
        if silent > WARN and not self.warned:
            self.warned = True
            self.warn(f"neither a step nor a line of the engine's log for {silent / 60:.0f} minutes")
        return silent if self.limit is not None and silent > self.limit else None
