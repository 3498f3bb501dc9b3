"""`kill -9` of a run's processes, and signals to all of them at once as in a reboot."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

from ftctl.process import alive
from tests.faults.aim import Moment, Started, aimed, phase_of, reach, start
from tests.faults.looks import (
    PATIENCE,
    leased,
    left_over,
    processes_of,
    serving,
    settled,
    state_now,
    steps_fault,
    true_now,
    truth,
)
from tests.faults.place import Place
from tests.faults.tally import Fault

TARGETS = ("engine", "supervisor", "both", "terminal")  # the server counts as an engine
REBOOTS = ("SIGTERM", "SIGTERM, SIGKILL")
BETWEEN = 0.1  # seconds from SIGTERM to SIGKILL


def kill(place: Place, target: str, moment: Moment) -> Fault:
    """One run, one `kill -9`, one look, and one resume."""
    started = start(place, place.work / "runs")
    reach(started, moment)
    fault = Fault("kill -9", target, phase_of(started.run), f"{target} {moment.after} s into {moment.phase}")
    for one in aimed(place, started, target):
        if alive(one):
            with contextlib.suppress(ProcessLookupError):
                os.kill(one.pid, signal.SIGKILL)
    if target == "terminal" or started.run is None:
        started.terminal.kill()
    after(place, started, fault)
    return fault


def reboot(place: Place, how: str, moment: Moment) -> Fault:
    """SIGTERM to every process of the lane at once; SIGKILL too where the machine goes down at once."""
    started = start(place, place.work / "runs")
    reach(started, moment)
    fault = Fault("reboot", how, phase_of(started.run), f"{how} {moment.after} s into {moment.phase}")
    _everyone(place, signal.SIGTERM)
    if how != "SIGTERM":
        time.sleep(BETWEEN)
        while processes_of(place):
            _everyone(place, signal.SIGKILL)
            started.terminal.poll()
        place.reboot()
    after(place, started, fault)
    return fault


def _everyone(place: Place, number: int) -> None:
    for pid in processes_of(place):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def after(place: Place, started: Started, fault: Fault) -> None:
    """What every fault is followed by: a look at once, another when all is still, a resume, and the end."""
    run = started.run
    if run is not None:
        fault.untrue += true_now(place, run)
    _wait(place, started, fault)
    run = started.run
    if run is not None and not settled(run):
        fault.lost.append(f"it did not end: {truth(run)}; {run}")
    still(place, fault)
    if run is not None:
        finish(place, run, fault)
        if run.exists():  # one that was made to a half has been removed
            fault.untrue += true_now(place, run)
    end(place, fault)


def end(place: Place, fault: Fault) -> None:
    """Stop what the run has deployed: nothing may be left of it."""
    still(place, fault)
    if serving(place):
        place.cli("stop", "--all", timeout=PATIENCE, code=0)
        still(place, fault)


def still(place: Place, fault: Fault) -> None:
    """Once nobody works any more: no process may be left over and no lease held, but by what serves."""
    fault.orphaned += left_over(place)
    fault.leased += leased(place)


def finish(place: Place, run: Path, fault: Fault) -> None:
    """Resume until the end, which must be one resume away, with every step once."""
    state = state_now(run)
    if not (run / "run.json").exists():  # made to a half: there is nothing to go on with
        answer = place.cli("rm", run.name, "--yes")
        if state != "LOST" or answer.code:
            fault.lost.append(f"half made, {state}, and rm says {answer.err[-300:]}; {run}")
        return
    if state != "SUCCEEDED":
        answer = place.cli("resume", run.name, timeout=place.patience * 2)
        if answer.code:
            fault.lost.append(f"was {state}; resume says {answer.err[-600:]}; {run}")
            return
        state = state_now(run)
    if state != "SUCCEEDED" or steps_fault(place, run):
        fault.lost.append(f"{state}; {steps_fault(place, run)}; {run}")


def _wait(place: Place, started: Started, fault: Fault) -> None:
    try:
        started.terminal.wait(timeout=place.patience)
    except subprocess.TimeoutExpired:
        fault.lost.append("the terminal goes on for ever")
        started.terminal.kill()
        started.terminal.wait()
