"""Whether a failed engine is started again: only after what may pass, and never for ever."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ftctl.supervise.failure import EngineFailed

FIRST_WAIT, LONGEST_WAIT = 2.0, 300.0  # seconds


@dataclass(frozen=True)
class Decision:
    """What is done about a failure, why, and after how many seconds."""

    again: bool
    reason: str
    wait: float = 0.0


def decide(failures: Sequence[EngineFailed], allowed: int) -> Decision:
    """What is done about the last of `failures`, all that a run had so far; `allowed` is max_restarts."""
    last, before = failures[-1], failures[:-1]
    reason = last.diagnosis.cause
    if not last.diagnosis.may_pass:
        return Decision(False, f"{reason}: a failure of this kind does not pass by itself")
    if before and _place(before[-1]) == _place(last):
        return Decision(False, f"{reason}, at the same place twice: it does not pass")
    if len(before) >= allowed:
        return Decision(False, f"{reason}, and all {allowed} restarts are used")
    return Decision(True, reason, min(LONGEST_WAIT, FIRST_WAIT * 2 ** len(before)))


def _place(failure: EngineFailed) -> tuple[str, int, int]:
    """What makes two failures one and the same: the memory killer strikes where the memory is needed."""
    return failure.phase, failure.code, failure.step
