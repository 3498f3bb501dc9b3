"""Whether a server still computes: by its own requests' progress, else by a real request of ours.

A server that is asked a lot is slow to answer one more, and is not dead: the tokens it counts go up.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable

from ftctl.deployments import client
from ftctl.deployments.launch import Pace
from ftctl.deployments.metrics import count
from ftctl.deployments.store import Entry
from ftctl.errors import FtctlError

QUICK = 5.0  # seconds for what costs the server nothing


class Pulse:
    """The signs of life of one server. `silent` is how long there has been none, in seconds; `trouble` says
    what is wrong, and is empty where nothing is."""

    def __init__(
        self, entry: Entry, key: str, pace: Pace, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.entry, self.key, self.pace, self.clock = entry, key, pace, clock
        self.quick = min(QUICK, pace.answer)
        self.seen = self.well = clock()  # the last sign of life, and the last look without trouble
        self.next = clock() + pace.every
        self.trouble, self.refused = "", False
        self.tokens: int | None = None
        self._moved()

    @property
    def due(self) -> bool:
        """Whether it is time for a look."""
        return self.clock() >= self.next

    @property
    def silent(self) -> float:
        return self.clock() - self.seen

    @property
    def hung(self) -> bool:
        """Whether there has been trouble for too long."""
        bound = self.pace.refused if self.refused else self.pace.patience
        return bool(self.trouble) and self.clock() - self.well > bound

    def look(self) -> None:
        """Look for a sign of life: tokens for others since the last look, else an answer of our own."""
        began = self.clock()
        trouble = "" if self._moved() else self._asked()
        if trouble and not self._moved():
            self.well = self.well if self.trouble else began
            self.trouble = trouble
            self.next = self.clock() + min(self.quick, self.pace.every)
            return
        self._moved()  # a server that was asked counts our token too
        self.trouble, self.seen = "", self.clock()
        self.next = self.seen + self.pace.every

    def _moved(self) -> bool:
        """Whether the server has read or written tokens since it was last asked."""
        load, before = count(self.entry, timeout=self.quick), self.tokens
        if load is not None:
            self.tokens = load.prompt_tokens + load.generation_tokens
        return self.tokens is not None and before is not None and self.tokens > before

    def _asked(self) -> str:
        """What is wrong with the answer to a real request; `refused` where waiting will not mend it."""
        place = self.entry.deployment
        self.refused = False
        try:
            client.compute_once(place.url, self.key, place.model, place.kind, self.pace.answer)
        except (OSError, ValueError, KeyError, http.client.HTTPException) as error:
            trouble = f"{type(error).__name__}: {error}"
        except FtctlError as error:
            trouble = error.message
        else:
            return ""
        self.refused = refuses(place.url, self.quick)
        return trouble


def refuses(url: str, timeout: float) -> bool:
    """Whether it listens no more, or says itself that it is broken; one that is slow does neither."""
    try:
        return client.request(url, "/health", timeout=timeout)[0] >= 500
    except TimeoutError:
        return False
    except (OSError, http.client.HTTPException):
        return True
