"""What was tried and what went wrong: one record a fault, and the figures of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

WRONGS = ("lost", "orphaned", "leased", "untrue")


@dataclass
class Fault:
    """One fault: its kind, what was struck and in which phase, and in words what went wrong.

    lost: work or a run that does not reach its end; orphaned: processes left over; leased: GPUs that are
    held and not used; untrue: what a command said and was not so. `left_out` says why it was not tried.
    """

    kind: str
    target: str
    phase: str
    name: str
    lost: list[str] = field(default_factory=list)
    orphaned: list[str] = field(default_factory=list)
    leased: list[str] = field(default_factory=list)
    untrue: list[str] = field(default_factory=list)
    left_out: str = ""
    seconds: float = 0.0

    @property
    def wrong(self) -> list[str]:
        """Every line of what went wrong."""
        return [
            f"{self.kind}, {self.name}: {wrong}: {said}" for wrong in WRONGS for said in getattr(self, wrong)
        ]

    def record(self) -> dict[str, Any]:
        """As a lane hands it on."""
        return asdict(self)


def text(faults: Sequence[Fault]) -> str:
    """The figures by kind, what was struck and when, and every line of what went wrong."""
    lines = []
    for kind in dict.fromkeys(fault.kind for fault in faults):
        of_kind = [fault for fault in faults if fault.kind == kind]
        tried = [fault for fault in of_kind if not fault.left_out]
        lines.append(f"{kind}: tried {len(tried)}, {_wrongs(tried)}")
        lines += [f"  {_counted(tried, what)}" for what in ("target", "phase") if tried]
        lines += [f"  left out: {why}" for why in dict.fromkeys(f.left_out for f in of_kind if f.left_out)]
    tried = [fault for fault in faults if not fault.left_out]
    lines.append(f"all: tried {len(tried)}, {_wrongs(tried)}")
    return "\n".join((*lines, *(line for fault in faults for line in fault.wrong)))


def _wrongs(faults: Sequence[Fault]) -> str:
    return ", ".join(f"{wrong} {sum(bool(getattr(fault, wrong)) for fault in faults)}" for wrong in WRONGS)


def _counted(faults: Sequence[Fault], what: str) -> str:
    counts = Counter(str(getattr(fault, what)) for fault in faults)
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
