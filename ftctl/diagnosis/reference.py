"""The page of known failures: `python -m ftctl.diagnosis.reference` writes `docs/troubleshooting.md`."""

from __future__ import annotations

import re
from pathlib import Path

from ftctl.diagnosis.consequences import CONSEQUENCES
from ftctl.diagnosis.faults import FAULTS
from ftctl.diagnosis.model import Fault

_HEAD = """\
<!-- Made from ftctl/diagnosis by `python -m ftctl.diagnosis.reference`; do not edit. -->
# When a training fails

`ftctl train` says what went wrong, what to change, the engine's last words and where its whole log is. The
same stands in the run's `exit.json` and in its last event, with `diagnosis`, a name from this page, and
`may_pass`: whether the same run, taken up again, may well get through.

A failure is known by the tracebacks of the log and by what native code wrote there, never by other lines:
an engine prints rows of its data, which may hold any text. The first entry of the table that the log shows
is the one that is told; below *processes of a run* are those that the loss of a process brings after it, told
only where nothing says how that process was lost.

| name | what is said | way out | may pass |
|---|---|---|---|
"""

# What is told without the log: from the exit code, the signal, the kernel's counts and the clock.
_WITHOUT_LOG = (
    (
        "killed_for_memory",
        "the kernel's memory killer ended it (it counts what it ends: `oom_kill` of the control group, or of "
        "`/proc/vmstat` for the whole machine, which is told as less certain)",
        "{memory}",
        True,
    ),
    (
        "killed",
        "killed from outside (signal 9), as happens when memory runs out or when someone ends it",
        "where memory ran out: {memory}",
        True,
    ),
    (
        "stalled",
        "no progress: neither a step nor a line of its log for `resources.stall_timeout` seconds",
        "look for processes that wait for each other or for a disk",
        True,
    ),
    ("unknown", "how it ended, and its last words", "read the log; SIGTERM, as at a reboot, may pass", False),
)

_TAIL = """
## Out of memory
`{memory}` above is the setting to change first and the one after it, and all that decide with their present
values. While it trains: a smaller `train.micro_batch_size` that keeps the batch size, then
`train.gradient_checkpointing`, `train.method: lora`, `train.quantization: 4`, a shorter `train.max_length`.
An embedder learns from the negatives in its micro batch, so there `gradient_checkpointing` comes first.
Before the first step the batch is not to blame: the weights are.

## A loss that is lost
`train.stop_on` says what ends a training: `nan` (the default), a loss or a gradient that is NaN or infinite;
`divergence`, also a loss whose mean over 20 logged steps is above its start and twice its best; `never`. A
rising loss is otherwise a warning. The engines' own logs show the mean of earlier steps in place of NaN.

## No progress
`resources.stall_timeout` ends an engine that has given no sign of life for so many seconds. Without it, half
an hour of silence is a warning.
"""


def reference() -> str:
    """The whole page as Markdown."""
    rows = [*map(_row, FAULTS), "| *processes of a run* | | | |", *map(_row, CONSEQUENCES)]
    rows += [_cells(name, cause, remedy, passes) for name, cause, remedy, passes in _WITHOUT_LOG]
    return _HEAD + "\n".join(rows) + "\n" + _TAIL


def _row(fault: Fault) -> str:
    return _cells(fault.name, fault.cause, fault.remedy, fault.may_pass)


def _cells(name: str, cause: str, remedy: str, passes: bool) -> str:
    holes = (re.sub(r"\{(?:\d|raised|word)\}", "…", text) for text in (cause, remedy))
    texts = (re.sub(r"\{(\w+)\}", r"`{\1}`", text).replace("|", "\\|") for text in holes)
    return "| " + " | ".join((f"`{name}`", *texts, "yes" if passes else "no")) + " |"


if __name__ == "__main__":
    from ftctl.paths import bundled

    page = bundled("schemas").parent / "docs" / "troubleshooting.md"
    page.write_text(reference(), encoding="utf-8")
    print(f"wrote {Path(page)}")
