"""Faults: what a server's log says when it fails, and what that means."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# "(EngineCore pid=12) ERROR 11-21 09:33:01 [core.py:99] " in front of what a line says.
PREFIX = re.compile(r"^(?:\([\w ]+=?\d*\)\s*)*(?:[A-Z]+ \d\d-\d\d \d\d:\d\d:\d\d (?:\[[^\]]*\] ?)*)?")
ERROR_LINE = re.compile(r"^(?:[\w.]*(?:Error|Exception|Interrupt)\b|.*\berror:|Killed|Fatal)")


@dataclass(frozen=True)
class Fault:
    """A known failure: `pattern` is a regular expression; `cause` and `remedy` may name its groups {1}.

    `may_pass` says whether the same server, started again, may well get through.
    """

    pattern: str
    cause: str
    remedy: str
    may_pass: bool = False


@dataclass(frozen=True)
class Diagnosis:
    """Why a server ended, and the way out; `known` is false when these are only its last words."""

    cause: str
    remedy: str
    known: bool
    may_pass: bool = True


def diagnose(lines: Iterable[str], faults: Sequence[Fault]) -> Diagnosis:
    """What the log says went wrong: the first fault of the table that any line shows.

    The order of the table is the order of trust: vLLM ends with a generic line, and the cause stands
    earlier. Without a known fault the last error lines speak for themselves.
    """
    said = [PREFIX.sub("", line.rstrip()) for line in lines]
    for fault in faults:
        pattern = re.compile(fault.pattern)
        for line in said:
            if found := pattern.search(line):
                groups = (found.group(0), *(group or "" for group in found.groups()))
                cause, remedy = fault.cause.format(*groups), fault.remedy.format(*groups)
                return Diagnosis(cause, remedy, known=True, may_pass=fault.may_pass)
    return Diagnosis(_last_words(said), "read the log for the lines before it", known=False)


def _last_words(said: Sequence[str]) -> str:
    """The last error lines of a log, at most three; else its last line."""
    errors = list(dict.fromkeys(line.strip() for line in said if ERROR_LINE.match(line)))
    if errors:
        return " | ".join(line[:300] for line in errors[-3:])
    full = [line.strip() for line in said if line.strip()]
    return full[-1][:300] if full else "it wrote nothing"
