"""Whether a server that failed is started again: by its policy, after what may pass, and never for ever."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WINDOW, LONGEST = 600.0, 60.0  # seconds
CLEAN = frozenset({0, -1, -2, -13, -15})  # as systemd has it: exit code 0, SIGHUP, SIGINT, SIGPIPE, SIGTERM


@dataclass(frozen=True)
class Decision:
    """What is done about a failure, why, after how many seconds, and the how-manieth restart of how many."""

    again: bool
    reason: str = ""
    wait: float = 0.0
    used: int = 0


def recent(failures: Sequence[float], now: float) -> tuple[float, ...]:
    """The failures that count: older ones say nothing of how the server is now."""
    return tuple(moment for moment in failures if now - moment < WINDOW)


def decide(
    policy: str,
    allowed: int,
    failures: Sequence[float],
    *,
    may_pass: bool = True,
    clean: bool = False,
    first: float = 1.0,
) -> Decision:
    """What is done about the last of `failures`, the times of those within the window.

    `may_pass` says whether another start may get through, `clean` whether the server ended by itself in
    order; `first` is the wait after the first failure, in seconds.
    """
    if policy == "never":
        return Decision(False, "deploy.restart is never")
    if clean and policy != "always":
        return Decision(False, "it ended in order, and deploy.restart is on-failure")
    if not may_pass:
        return Decision(False, "a failure of this kind does not pass by itself")
    used = len(failures)
    if used > allowed:
        return Decision(False, f"it was started again {allowed} times within {WINDOW / 60:g} minutes")
    return Decision(True, "", min(LONGEST, first * 2 ** (used - 1)), used)
