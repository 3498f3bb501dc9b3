"""Several `resume` of one run at once: one wins, and the others say so."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess

from ftctl.process import alive
from tests.faults.aim import Moment, aimed, phase_of, reach, start
from tests.faults.kills import end
from tests.faults.looks import PATIENCE, settled, state_now, steps_fault, true_now
from tests.faults.place import Place
from tests.faults.tally import Fault

RACERS = 4
REFUSED = (
    "is in the hands of another process",
    "is RUNNING",
    "is PENDING",
    "has succeeded: there is nothing",
)


def race(place: Place, target: str, moment: Moment) -> Fault:
    """One run whose supervisor is killed, and as many resumes at once as `target` says."""
    started = start(place, place.work / "runs")
    reach(started, moment)
    fault = Fault("resumes at once", target, phase_of(started.run), f"{target}, {moment.phase}")
    for one in aimed(place, started, "supervisor"):
        if alive(one):
            with contextlib.suppress(ProcessLookupError):
                os.kill(one.pid, signal.SIGKILL)
    started.terminal.wait(timeout=PATIENCE)
    run = started.run
    if run is None or not settled(run) or state_now(run) == "SUCCEEDED":
        fault.left_out = "the run had ended before"
        end(place, fault)
        return fault
    racers = [_racer(place, run.name) for _ in range(int(target.split(maxsplit=1)[0]))]
    ended = [(racer.communicate(timeout=PATIENCE * 2), racer.returncode) for racer in racers]
    winners = [err for (_, err), code in ended if code == 0 and "goes on in" in err]
    refused = [err for (out, err), _ in ended if any(words in out + err for words in REFUSED)]
    if len(winners) != 1 or len(refused) != len(racers) - 1:
        fault.untrue += [f"a resume ended with {code}: {err[-400:]}" for (_, err), code in ended]
    if state_now(run) != "SUCCEEDED" or steps_fault(place, run):
        fault.lost.append(f"{state_now(run)}; {steps_fault(place, run)}; {run}")
    fault.untrue += true_now(place, run)
    end(place, fault)
    return fault


def _racer(place: Place, run: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        place.cli.argv("resume", run),
        cwd=place.work,
        env=place.cli.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
