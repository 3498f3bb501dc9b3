"""The parts of an engine's log that speak of a failure: its tracebacks and the words of native code.

Only these are matched: an engine prints rows of its data, which may hold any text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

BEGIN = "Traceback (most recent call last):"
BEGUN = "***** Running training *****"  # what stands before it are rows and settings
RANK = re.compile(r"^(?:\[rank\d+\]:)+ ?")  # torch's own mark of a process of a distributed run
NATIVE = re.compile(
    r"^(?:terminate called|  what\(\):|Fatal Python error|Segmentation fault|Killed"
    r"|\[?[EWF]\d{3,4} \d\d:\d\d:\d\d|  (?:traceback|exitcode) +: |usage: |\S+: error: )"
)
MESSAGE = 8  # lines of an exception's text that are kept


@dataclass(frozen=True)
class Said:
    """A traceback as one text with its frames, or a line of native code; `raised` is its telling line."""

    text: str
    raised: str


def spoken(lines: Sequence[str]) -> tuple[Said, ...]:
    """All that the log says of a failure, in its order."""
    return tuple(_parts([RANK.sub("", line.rstrip()) for line in _of_training(lines)]))


def _of_training(lines: Sequence[str]) -> Sequence[str]:
    """The lines after the training began, where it did."""
    began = [number for number, line in enumerate(lines) if BEGUN in line]
    return lines[began[-1] :] if began else lines


def _parts(lines: Sequence[str]) -> Iterator[Said]:
    number = 0
    while number < len(lines):
        if lines[number].endswith(BEGIN):  # a progress bar may stand before it on its line
            raised = _raised(lines, number + 1)
            number, frames = _end(lines, raised), lines[number + 1 : raised]
            yield Said("\n".join((*frames, *lines[raised:number])), lines[raised] if raised < number else "")
        else:
            if NATIVE.match(lines[number]):
                yield Said(lines[number], lines[number].strip())
            number += 1


def _raised(lines: Sequence[str], number: int) -> int:
    """The line of a traceback that names the exception: the frames before it are indented."""
    while number < len(lines) and (not lines[number] or lines[number].startswith(" ")):
        number += 1
    return number


def _end(lines: Sequence[str], number: int) -> int:
    """Where the exception's own lines end."""
    last = min(number + MESSAGE, len(lines))
    while number < last and lines[number] and not lines[number].endswith(BEGIN):
        number += 1
    return number
