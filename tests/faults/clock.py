"""The clock of a run's processes steps by hours while they work, as by a wrong clock that is set right."""

from __future__ import annotations

import json
import re
import shutil
import struct
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

from ftctl.run.directory import RunDir
from tests.faults.aim import Moment, Started, phase_of, reach, start
from tests.faults.kills import end, finish
from tests.faults.looks import PATIENCE, settled, true_now
from tests.faults.place import Place
from tests.faults.tally import Fault

HOUR = 3600
STEPS = {"back 3 h": -3 * HOUR, "forward 3 h": 3 * HOUR, "back 400 days": -400 * 24 * HOUR}
LONG = 300.0  # seconds that nothing here takes
UNLIKELY = re.compile(r"(?<![\w-])-\d|\b\d+:\d\d:\d\d\b")  # a duration under zero, or of hours


def step(place: Place, target: str, moment: Moment) -> Fault:
    """One run whose clock steps; it must come to its end undisturbed, and every duration be as it was."""
    fault = Fault("clock", target, moment.phase, f"{target}, {moment.after} s into {moment.phase}")
    library, clock = place.folder / "clock.so", place.folder / "clock"
    if not library.exists() and not _built(library):
        fault.left_out = "there is no C compiler for a clock that can be set"
        return fault
    set_clock(clock, 0)
    stepping = {"LD_PRELOAD": str(library), "FAULTS_CLOCK": str(clock)}
    place = replace(place, cli=replace(place.cli, more={**place.cli.more, **stepping}))
    started = start(place, place.work / "runs")
    reach(started, moment)
    fault.phase = phase_of(started.run)
    set_clock(clock, STEPS[target])
    _look(place, started, fault)
    return fault


def set_clock(file: Path, seconds: int) -> None:
    """Let the processes that look at `file` see the time of day so many seconds off."""
    if not file.exists():
        file.write_bytes(bytes(8))
    with open(file, "rb+") as out:
        out.write(struct.pack("=q", seconds))


def _built(library: Path) -> bool:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return False
    source = Path(__file__).with_suffix(".c")
    argv = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source)]
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0


def _look(place: Place, started: Started, fault: Fault) -> None:
    shown = [started.said]
    if (run := started.run) is not None:
        fault.untrue += true_now(place, run)
        watched = place.cli("watch", run, timeout=PATIENCE)
        shown.append(lambda: watched.err)
    try:
        code = started.terminal.wait(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        code = -1
        started.terminal.kill()
    run = started.run
    if code or run is None or not settled(run):
        fault.lost.append(f"train ended with {code}: {started.said()[-600:]}")
    if run is not None:
        finish(place, run, fault)
        fault.untrue += [f"an event says {said}" for said in _durations(run)]
        shown += [lambda: place.cli("runs", "--last", "1").out, lambda: place.cli("ps").out]
        for text in shown:
            said = text()
            fault.untrue += [f"shown: {line}" for line in said.splitlines() if UNLIKELY.search(line)]
    end(place, fault)


def _durations(run: Path) -> list[str]:
    """The durations in a run's events that cannot be."""
    wrong = []
    for event in RunDir(run).events():
        for name in ("seconds", "elapsed", "wait", "remaining"):
            value: Any = event.data.get(name)
            if value is not None and not 0 <= value < LONG:
                wrong.append(json.dumps({"kind": event.kind, **event.data}))
    return wrong
