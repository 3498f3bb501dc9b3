"""What a lease is about: who holds a GPU, and what a job wants to hold."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from ftctl.errors import shown_text


@dataclass(frozen=True)
class Holder:
    """Who holds GPU `index`. `what` is a phrase, such as `run support-bot 20260101-…`; `since` is in seconds
    since the epoch."""

    index: int
    what: str
    pid: int
    user: str
    since: float

    def __str__(self) -> str:
        began = datetime.fromtimestamp(self.since).strftime("%d %b %H:%M")
        return shown_text(f"{self.what} (pid {self.pid}, user {self.user}, since {began})")


def run_phrase(name: str, identity: str) -> str:
    """The phrase of a run that holds GPUs; more may follow it after a comma."""
    return f"run {name} {identity}"


def deployment_phrase(name: str) -> str:
    """The phrase of a deployment that holds GPUs."""
    return f"deployment {name}"


def held_by(phrase: str, holders: Iterable[Holder]) -> tuple[int, ...]:
    """The GPUs that who goes by this phrase holds."""
    return tuple(one.index for one in holders if one.what.partition(",")[0] == phrase)


@dataclass(frozen=True)
class Wish:
    """What is wanted at once: `named` GPUs by their index, and `count` in all, of the `usable` ones."""

    named: tuple[int, ...]
    count: int
    usable: tuple[int, ...]

    @property
    def could_take(self) -> tuple[int, ...]:
        """The GPUs that it may end up with: who comes later leaves these to it."""
        return self.usable if self.count > len(self.named) else self.named

    def __str__(self) -> str:
        if self.count == len(self.named):
            return f"GPU {', '.join(map(str, self.named))}"
        return f"{self.count} GPU{'s' if self.count > 1 else ''}"
