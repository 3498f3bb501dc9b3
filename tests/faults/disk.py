"""A disk that becomes full in the middle of a run: the one that the run is on, or that of ftctl's state."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
from pathlib import Path

from tests.faults.aim import Moment, Started, phase_of, reach, start
from tests.faults.kills import end, finish, still
from tests.faults.looks import PATIENCE, settled, state_now, true_now
from tests.faults.place import Place
from tests.faults.tally import Fault

TARGETS = ("the run's disk", "the state's disk")
FEW = "of the disk are free"  # what a plan says that needs more


def fill(place: Place, target: str, moment: Moment) -> Fault:
    """One run whose disk becomes full: it goes on without, or ends with one clear failure."""
    fault = Fault("full disk", target, moment.phase, f"{target}, {moment.after} s into {moment.phase}")
    if not place.own:
        fault.left_out = "this machine refuses a small disk of one's own"
        return fault
    disk = place.small if target == TARGETS[0] else place.state
    started = start(place, place.small / "runs" if target == TARGETS[0] else place.work / "runs")
    reach(started, moment)
    fault.phase = phase_of(started.run)
    filler = disk / ".filler"
    _fill(filler)
    try:
        _ended(place, started, fault)
    finally:
        filler.unlink()
    if (run := started.run) is not None:
        finish(place, run, fault)
        fault.untrue += true_now(place, run)
    end(place, fault)
    if target == TARGETS[0] and run is not None:
        place.cli("rm", run, "--yes", code=0)  # the disk is small
    return fault


def _fill(filler: Path) -> None:
    """Take every byte that is left."""
    with open(filler, "wb", buffering=0) as file:
        free = os.statvfs(filler.parent)
        with contextlib.suppress(OSError):
            os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize)
        file.seek(0, os.SEEK_END)
        try:
            while file.write(b"\0" * 4096):
                continue
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise


def _ended(place: Place, started: Started, fault: Fault) -> None:
    """While the disk is full: the run ends by itself, and its end is told truly and clearly."""
    try:
        code = started.terminal.wait(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        started.terminal.kill()
        code = -1
    run, told = started.run, started.said()
    disk = place.small if fault.target == TARGETS[0] else place.cli.home
    named = f"on the disk of {disk}" in told or f"for the run under {disk}" in told
    if code and not named and FEW not in told:
        fault.untrue.append(f"train ended with {code} and does not name the disk: {told[-900:]}")
    if "Traceback" in told or "bug" in told:
        fault.untrue.append(f"train shows a bug: {told[-900:]}")
    if run is None:
        return
    if not settled(run):
        fault.lost.append(f"it goes on while the disk is full; {run}")
    fault.untrue += true_now(place, run)
    state = state_now(run)
    if state not in ("SUCCEEDED", "FAILED") or (code == 0) != (state == "SUCCEEDED"):
        fault.untrue.append(f"train ended with {code}, the run is {state}: {told[-600:]}")
    still(place, fault)
