"""What the course of a training says: the loss and evaluation curves, as their events come."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from ftctl.events import Event

WINDOW = 10  # logged losses whose mean says where the loss stands
NEAR_ZERO = 0.2
# Tasks whose loss is the cross entropy of the next token; that of preferences goes to 0 by design.
TOKENS = ("sft", "pretrain")


class Evaluated(NamedTuple):
    """One evaluation: its step and loss, and the mean training loss since the one before."""

    step: int
    loss: float
    trained: float


class Course:
    """A training so far, as its events tell it; an `attempt` takes back what came after its step."""

    def __init__(self, task: str) -> None:
        self.task = task
        self.losses: deque[float] = deque(maxlen=WINDOW)
        self.evaluated: list[Evaluated] = []
        self._sum, self._count = 0.0, 0

    def see(self, event: Event) -> Iterator[tuple[str, str]]:
        """The name of every note that the event calls for, with what was seen."""
        if event.kind == "attempt" and "step" in event.data:
            self._back(int(event.data["step"]))
        elif event.kind == "step" and isinstance(event.data.get("loss"), int | float):
            yield from self._step(int(event.data.get("step", 0)), float(event.data["loss"]))
        elif event.kind == "evaluation":
            loss = (event.data.get("metrics") or {}).get("eval_loss")
            if isinstance(loss, int | float):
                yield from self._evaluation(int(event.data.get("step", 0)), float(loss))

    def _back(self, step: int) -> None:
        self.evaluated = [one for one in self.evaluated if one.step <= step]
        self.losses.clear()
        self._sum, self._count = 0.0, 0

    def _step(self, step: int, loss: float) -> Iterator[tuple[str, str]]:
        self.losses.append(loss)
        self._sum, self._count = self._sum + loss, self._count + 1
        mean = sum(self.losses) / len(self.losses)
        if self.task in TOKENS and len(self.losses) == WINDOW and mean < NEAR_ZERO:
            yield (
                "loss-near-zero",
                f"the training loss of the last {WINDOW} logged steps is {mean:.3g} at step {step}",
            )

    def _evaluation(self, step: int, loss: float) -> Iterator[tuple[str, str]]:
        trained = self._sum / self._count if self._count else float("nan")
        self.evaluated.append(Evaluated(step, loss, trained))
        self._sum, self._count = 0.0, 0
        if said := rises(self.evaluated):
            yield "evaluation-rises", said


def rises(evaluated: list[Evaluated]) -> str | None:
    """What is said where the evaluation has risen twice in a row, over its best by more than a hundredth,
    while the training loss fell."""
    if len(evaluated) < 3:
        return None
    before, last = evaluated[-2:]
    best = min(evaluated[:-2], key=lambda one: one.loss)
    if not best.loss * 1.01 < before.loss < last.loss or not last.trained < best.trained:
        return None
    return (
        f"the evaluation loss rises, from {best.loss:.4g} at step {best.step} to {last.loss:.4g} at step "
        f"{last.step}, while the training loss falls, from {best.trained:.4g} to {last.trained:.4g}"
    )
