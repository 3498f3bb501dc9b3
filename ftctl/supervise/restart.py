"""Whether a failed engine is started again: only after what may pass, and never for ever."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

FIRST_WAIT, LONGEST_WAIT = 2.0, 300.0  # seconds
# The words of torch's NCCL watchdog (torch 2.x, ProcessGroupNCCL.cpp), and of torchrun for a killed worker.
PASSING = (
    (re.compile(r"Watchdog caught collective operation timeout"), "NCCL timed out"),
    (re.compile(r"NCCL.*(?:timed? ?out|remote error|unhandled system error)", re.I), "NCCL failed"),
    (re.compile(r"\bexitcode\s*:\s*-(?:9|15)\b|Signal (?:9|15) \(SIG"), "a process of it was killed"),
)


@dataclass(frozen=True)
class Failure:
    """A command of an engine that failed: its step's name, exit code (negative: the signal), the training
    step it had reached, and its last words."""

    phase: str
    code: int
    step: int
    words: Sequence[str] = ()


@dataclass(frozen=True)
class Decision:
    """What is done about a failure, why, and after how many seconds."""

    again: bool
    reason: str
    wait: float = 0.0


def may_pass(failure: Failure) -> str | None:
    """Why the same command may well succeed when it is run again; None where it will fail again."""
    if failure.code < 0:
        return f"it was killed by signal {-failure.code}"
    text = "\n".join(failure.words)
    return next((reason for pattern, reason in PASSING if pattern.search(text)), None)


def decide(failures: Sequence[Failure], allowed: int) -> Decision:
    """What is done about the last of `failures`, all that a run had so far; `allowed` is max_restarts."""
    last, before = failures[-1], failures[:-1]
    reason = may_pass(last)
    if reason is None:
        return Decision(False, "a failure of this kind does not pass by itself")
    if before and _place(before[-1]) == _place(last):
        return Decision(False, f"{reason}, at the same place twice: it does not pass")
    if len(before) >= allowed:
        return Decision(False, f"{reason}, and all {allowed} restarts are used")
    return Decision(True, reason, min(LONGEST_WAIT, FIRST_WAIT * 2 ** len(before)))


def _place(failure: Failure) -> tuple[str, int, int]:
    """What makes two failures one and the same: the memory killer strikes where the memory is needed."""
    return failure.phase, failure.code, failure.step
