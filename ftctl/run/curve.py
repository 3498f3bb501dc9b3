"""A run's loss curve as one line, however often the training was taken up again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ftctl.events import Event


def curve(events: Iterable[Event], kind: str = "step") -> list[Event]:
    """The events that count, of a kind that has a step: an `attempt` takes back what came after the step it
    goes on from."""
    line: list[Event] = []
    for event in events:
        if event.kind == "attempt" and "step" in event.data:
            line = [step for step in line if step.data.get("step", 0) <= event.data["step"]]
        elif event.kind == kind:
            line.append(event)
    return line


def done_phases(events: Iterable[Event], order: Sequence[str]) -> frozenset[str]:
    """The phases that are done for good: an `attempt` takes back its own phase and all that follow it."""
    done: set[str] = set()
    for event in events:
        name = event.data.get("name" if event.kind == "phase" else "phase")
        if event.kind == "attempt" and name in order:
            done -= set(order[order.index(name) :])
        elif event.kind == "phase" and event.data.get("state") == "done":
            done.add(str(name))
    return frozenset(done)


def first_open(events: Iterable[Event], order: Sequence[str]) -> str:
    """The first phase of `order` that is not done; the last one where all are."""
    done = done_phases(events, order)
    return next((name for name in order if name not in done), order[-1])
