"""What is known of a failed training, and what is made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Failure:
    """How a command of an engine ended.

    `code` is its exit code, negative: the signal; `lines` are the end of its log; `step` is the last step
    it reported and `begun` whether it had begun to train; `disk_free` is in bytes, None: not looked at.
    `killed_here` and `killed_anywhere` count what the kernel's memory killer ended meanwhile, in the
    control group of the run and on the whole machine. `silent` is how many seconds the engine had given
    no sign of life when it was ended for that, None: it was not.
    """

    code: int
    lines: Sequence[str] = ()
    step: int = 0
    begun: bool = False
    disk_free: int | None = None
    killed_here: int = 0
    killed_anywhere: int = 0
    silent: float | None = None


@dataclass(frozen=True)
class Fault:
    """A known failure by the words of the log.

    `pattern` is a regular expression over one traceback or one line of native code, in which ^ is the
    beginning of a line. `cause` and `remedy` may name its groups {1} and what the plan says
    (see `diagnose`). `may_pass` says whether the same run, begun again, may well get through.
    """

    name: str
    pattern: str
    cause: str
    remedy: str
    may_pass: bool = False


@dataclass(frozen=True)
class Diagnosis:
    """Why a training failed. `name` is stable, for machines; `unknown` is what no entry recognises."""

    name: str
    cause: str
    remedy: str
    may_pass: bool


UNKNOWN = "unknown"
