"""Why a training failed: the first entry of the table that its log shows, else what its end says."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from signal import SIGHUP, SIGINT, SIGTERM, Signals

from ftctl.diagnosis.consequences import CONSEQUENCES
from ftctl.diagnosis.faults import DISK_FULL, FAULTS
from ftctl.diagnosis.memory import memory_remedy
from ftctl.diagnosis.model import UNKNOWN, Diagnosis, Failure, Fault
from ftctl.diagnosis.said import Said, spoken
from ftctl.plan.model import Plan

FULL = 16 * 1024  # bytes: with less free than this an engine failed because the disk is full
SHOWN = 300  # characters of an engine's words that are quoted
ENDED = (SIGHUP, SIGINT, SIGTERM)  # somebody asked for the end, as a machine that reboots does
KILLED = re.compile(r"Signal 9 \(SIGKILL\)|exitcode *: -9|killed by signal: Killed")


def diagnose(failure: Failure, plan: Plan, run: str = "the run") -> Diagnosis:
    """The diagnosis of a failed command; `run` is how its directory is named to the user."""
    if failure.silent is not None:
        return _stalled(failure.silent)
    told = _told(failure, plan, run)
    if failure.disk_free is not None and failure.disk_free < FULL:
        return _of(DISK_FULL, Said("", ""), (), told)
    said = spoken(failure.lines)
    if found := _first(FAULTS, said, told):
        return found
    if failure.code == -9 or any(KILLED.search(part.text) for part in said):
        return _killed(failure, told["memory"])
    return _first(CONSEQUENCES, said, told) or _unknown(failure.code)


def _first(faults: Sequence[Fault], said: Sequence[Said], told: Mapping[str, str]) -> Diagnosis | None:
    """The diagnosis by the first entry that any part of the log shows."""
    for fault in faults:
        pattern = re.compile(fault.pattern, re.MULTILINE)
        for part in said:
            if found := pattern.search(part.text):
                return _of(fault, part, (found.group(0), *found.groups()), told)
    return None


def _of(fault: Fault, part: Said, groups: tuple[str | None, ...], told: Mapping[str, str]) -> Diagnosis:
    """The diagnosis by an entry, its holes filled from the log and from the plan."""
    words = [(word or "")[:SHOWN] for word in groups]
    word = next((word for word in words[1:] if word), "")
    named = {**told, "raised": part.raised[:SHOWN], "word": word}
    return Diagnosis(
        fault.name, fault.cause.format(*words, **named), fault.remedy.format(*words, **named), fault.may_pass
    )


def _told(failure: Failure, plan: Plan, run: str) -> dict[str, str]:
    """What the table's texts may name: settings of the plan with their present values."""
    train, decided, data = plan.job.train, plan.train, plan.job.data
    return {
        "run": run,
        "model": plan.job.model.path,
        "engine": "the engine" if decided is None else decided.engine,
        "memory": memory_remedy(plan, begun=failure.begun),
        "learning_rate": "not set" if decided is None else f"{decided.learning_rate:g}",
        "precision": "not set" if decided is None else decided.precision,
        "keep": "not set" if train is None else str(train.checkpoints.keep or "all"),
        "workers": "not set" if data is None or data.workers is None else str(data.workers),
    }


def _killed(failure: Failure, memory: str) -> Diagnosis:
    """SIGKILL says nothing of who sent it; the kernel counts what its memory killer ended."""
    remedy = f"where memory ran out: {memory}"
    if failure.killed_here:
        return Diagnosis("killed_for_memory", "the kernel's memory killer ended it", memory, may_pass=True)
    if failure.killed_anywhere:
        cause = "killed (signal 9) while the kernel's memory killer was at work: memory ran out"
        return Diagnosis("killed_for_memory", cause, memory, may_pass=True)
    cause = "killed from outside (signal 9), as happens when memory runs out or when someone ends it"
    return Diagnosis("killed", cause, remedy, may_pass=True)


def _stalled(silent: float) -> Diagnosis:
    cause = f"no progress: neither a step nor a line of its log for {silent / 60:.3g} minutes"
    remedy = (
        "it may pass; if it comes back, processes wait for each other or for a disk; "
        "raise resources.stall_timeout where the engine is only slow"
    )
    return Diagnosis("stalled", cause, remedy, may_pass=True)


def _unknown(code: int) -> Diagnosis:
    """Nothing is recognised. A termination from outside, as at a reboot, may pass; a crash will not."""
    if code < 0:
        return Diagnosis(UNKNOWN, f"ended by {_signal(-code)}", "", may_pass=-code in ENDED)
    return Diagnosis(UNKNOWN, f"ended with exit code {code}", "", may_pass=False)


def _signal(number: int) -> str:
    try:
        return Signals(number).name
    except ValueError:  # a real-time signal has no name
        return f"signal {number}"
