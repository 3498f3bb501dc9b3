"""Whether a run goes on by itself after a failure: only after what may pass, and never for ever."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftctl.events import Event

FIRST_WAIT, LONGEST_WAIT = 2.0, 300.0  # seconds


@dataclass(frozen=True)
class Setback:
    """What ended an attempt: why, whether it may pass, and where (the phase, how, the training step)."""

    cause: str
    may_pass: bool
    phase: str
    code: int
    step: int

    @property
    def place(self) -> tuple[str, int, int]:
        """What makes two of them one and the same: the memory killer strikes where the memory is needed."""
        return self.phase, self.code, self.step


@dataclass(frozen=True)
class Decision:
    """What is done about a setback, why, and after how many seconds."""

    again: bool
    reason: str
    wait: float = 0.0


def decide(setbacks: Sequence[Setback], allowed: int) -> Decision:
    """What is done about the last of `setbacks`, all that a run had so far; `allowed` is max_restarts."""
    last, before = setbacks[-1], setbacks[:-1]
    if not last.may_pass:
        return Decision(False, f"{last.cause}: a failure of this kind does not pass by itself")
    if before and before[-1].place == last.place:
        return Decision(False, f"{last.cause}, at the same place twice: it does not pass")
    if len(before) >= allowed:
        return Decision(False, f"{last.cause}, and all {allowed} restarts are used")
    return Decision(True, last.cause, min(LONGEST_WAIT, FIRST_WAIT * 2 ** len(before)))


def told(decision: Decision, setbacks: Sequence[Setback], allowed: int) -> Mapping[str, Any]:
    """The fields of the `restart` event for the last of `setbacks`."""
    last = setbacks[-1]
    return {
        "again": decision.again,
        "reason": decision.reason,
        "wait": decision.wait,
        "used": len(setbacks) - 1,
        "allowed": allowed,
        "phase": last.phase,
        "code": last.code,
        "step": last.step,
    }


def before(events: Iterable[Event]) -> list[Setback]:
    """The setbacks after which the run went on by itself, since somebody last began it or took it up."""
    found: list[Setback] = []
    for event in events:
        data = event.data
        if event.kind == "attempt" and not data.get("restart"):
            found = []
        elif event.kind == "restart" and data.get("again"):
            place = str(data.get("phase", "")), int(data.get("code", 0)), int(data.get("step", 0))
            found.append(Setback(str(data.get("reason", "")), True, *place))
    return found
