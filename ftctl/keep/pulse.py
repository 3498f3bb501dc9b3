"""Whether a server still computes: by its own requests' progress, else by a real request of ours.

A server that is asked a lot is slow to answer one more, and is not dead: the tokens it counts go up.
"""

from __future__ import annotations

import http.client
import re
import time
from collections.abc import Callable

from ftctl.deployments import client
from ftctl.deployments.launch import Pace
from ftctl.deployments.model import Deployment
from ftctl.errors import FtctlError

# vLLM's and LMDeploy's counters of prompt and generated tokens, in Prometheus' text format.
TOKENS = re.compile(r"^[\w:]*tokens(?:_total)?(?:\{[^}]*\})? ([\d.eE+]+)$", re.MULTILINE)
QUICK = 5.0  # seconds for what costs the server nothing


class Pulse:
    """The signs of life of one server. `silent` is how long there has been none, in seconds."""

    def __init__(
        self, deployment: Deployment, key: str, pace: Pace, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.deployment, self.key, self.pace, self.clock = deployment, key, pace, clock
        self.seen = self.next = clock()
        self.next += pace.every
        self.trouble = ""
        self.refused = False
        self.quick = min(QUICK, pace.answer)
        self.tokens = self._count()

    @property
    def due(self) -> bool:
        """Whether it is time for a look."""
        return self.clock() >= self.next

    @property
    def silent(self) -> float:
        return self.clock() - self.seen

    @property
    def hung(self) -> bool:
        """Whether it has given no sign of life for too long."""
        bound = self.pace.refused if self.refused else self.pace.patience
        return bool(self.trouble) and self.silent > bound

    def look(self) -> None:
        """Look for a sign of life. Afterwards `trouble` says what is wrong, empty where nothing is."""
        count = self._count()
        if count is not None and self.tokens is not None and count > self.tokens:
            self.trouble = ""  # it has computed for others since
        else:
            self.trouble = self._asked()
            # A server that was asked counts our token too.
            count = self._count() if not self.trouble else count
        self.tokens = count if count is not None else self.tokens
        now = self.clock()
        if not self.trouble:
            self.seen = now
        self.next = now + (min(self.quick, self.pace.every) if self.trouble else self.pace.every)

    def _count(self) -> float | None:
        return tokens(self.deployment.url, self.key, self.quick)

    def _asked(self) -> str:
        """What is wrong with the answer to a real request; `refused` where waiting will not mend it."""
        place = self.deployment
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


def tokens(url: str, key: str, timeout: float) -> float | None:
    """How many tokens the server has read and written so far; None where it does not say."""
    try:
        status, answer = client.request(url, "/metrics", key=key, timeout=timeout)
    except (OSError, http.client.HTTPException):
        return None
    found = TOKENS.findall(answer.decode("utf-8", "replace")) if status == 200 else []
    return sum(map(float, found)) if found else None
