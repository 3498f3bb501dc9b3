"""`ftctl watch` and the supervisor while an engine logs 100 lines a second, and how soon an event is seen.

.venv/bin/python -m bench.watch [SECONDS]
"""

from __future__ import annotations

import json
import os
import pty
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from bench.measure import FTCTL, PYTHON, environment, machine, write
from ftctl.process import ProcessId
from ftctl.record import from_record
from ftctl.run.state import LIVE, standing
from tests.standin.launch import launching
from tests.waiting import until

RATE = 100  # lines a second, of the log and of the events
CPU, MEMORY, DELAY = 0.01, 60 * 2**20, 0.3  # the limits: of a core, bytes, seconds
SETTLE = 3.0  # seconds until a process has started, which are not counted
TICK = os.sysconf("SC_CLK_TCK")
# The least that can watch a file: it asks for its size ten times a second.
BASELINE = """
import os, sys, time
while True:
    try:
        os.stat(sys.argv[1]).st_size
    except OSError:
        pass
    time.sleep(0.1)
"""


@dataclass
class Watched:
    """A process that is measured: its CPU seconds at the start and the end of the time that counts."""

    name: str
    pid: int
    began: float = 0.0
    ended: float = 0.0
    peak: int = 0


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 30.0
    began_on = machine()
    with tempfile.TemporaryDirectory() as scratch:
        processes, delays = measured(Path(scratch), seconds)
    write("watch", "Watching a run", table(processes, delays, seconds), began_on=began_on)


def measured(folder: Path, seconds: float) -> tuple[list[Watched], list[float]]:
    """Three watchers, the supervisor and the baseline beside one run; and each event's delay in seconds."""
    steps = int(RATE * (seconds + 4 * SETTLE))
    delays: list[float] = []
    with launching(folder / "runs") as launch:
        run = launch("--steps", str(steps), "--pause", str(1 / RATE), "--noise", "80")
        until(lambda: run.read_json("engine.json"))
        lines, screen = start(folder, run.path), start(folder, run.path, terminal=True)
        events = start(folder, run.path, "--json")
        base = subprocess.Popen([PYTHON, "-c", BASELINE, str(run.path / "events.jsonl")])
        node = from_record(ProcessId, run.read_json("node.json"))
        threading.Thread(target=note_delays, args=(events, delays), daemon=True).start()
        found = [
            Watched("python that asks for a file's size (the baseline)", base.pid),
            Watched("`ftctl watch`, lines", lines.pid),
            Watched("`ftctl watch`, a terminal", screen.pid),
            Watched("`ftctl watch --json`", events.pid),
            Watched("`ftctl node` (the supervisor)", node.pid),
        ]
        time.sleep(SETTLE)
        del delays[:]
        for process in found:
            process.began = cpu_seconds(process.pid)
        time.sleep(seconds)
        for process in found:
            process.ended, process.peak = cpu_seconds(process.pid), peak_memory(process.pid)
        seen = list(delays)
        if standing(run.path) not in LIVE:
            raise SystemExit(f"the run ended too soon: {(run.path / 'engine.log').read_text()[-500:]}")
        for child in (lines, screen, events, base):
            child.kill()
            child.wait()
    return found, seen


def start(folder: Path, run: Path, *options: str, terminal: bool = False) -> subprocess.Popen[str]:
    """A watcher of the run; on a terminal that is read and thrown away, or with its output piped."""
    own = environment({"FTCTL_HOME": str(folder / "home"), "TERM": "xterm-256color", "CI": ""})
    argv = [FTCTL, "watch", str(run), *options]
    if not terminal:
        return subprocess.Popen(argv, env=own, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    main_side, side = pty.openpty()
    child = subprocess.Popen(argv, env=own, stdout=side, stderr=side, stdin=side, text=True)
    os.close(side)
    threading.Thread(target=drain, args=(main_side,), daemon=True).start()
    return child


def drain(handle: int) -> None:
    while True:
        try:
            if not os.read(handle, 65536):
                return
        except OSError:
            return


def note_delays(watcher: subprocess.Popen[str], delays: list[float]) -> None:
    """How long after the engine wrote it each step came out of the watcher."""
    assert watcher.stdout is not None
    for line in watcher.stdout:
        now, event = time.time(), json.loads(line)
        if event.get("event") == "step":
            delays.append(now - event["time"])


def cpu_seconds(pid: int) -> float:
    """CPU seconds of a process so far (proc(5): fields 14 and 15 of stat)."""
    text = Path(f"/proc/{pid}/stat").read_text()
    fields = text[text.rindex(")") + 2 :].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def peak_memory(pid: int) -> int:
    """The most memory that a process has held, in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def table(processes: list[Watched], delays: list[float], seconds: float) -> list[str]:
    ordered = sorted(delays)
    late = ordered[int(0.99 * len(ordered))]
    verdict = "within" if ordered[-1] <= DELAY else "OVER"
    return [
        f"One run whose engine (the stand-in) writes about {RATE} lines a second to its log and as many",
        f"events, all of these beside it at once, over {seconds:g} s after {SETTLE:g} s to start. The",
        f"limits: {CPU:.0%} of a core and {MEMORY / 2**20:.0f} MiB.",
        "",
        "| process | of a core | peak memory | within |",
        "|---|---|---|---|",
        *(row(process, seconds) for process in processes),
        "",
        f"From the engine's line to the line of `ftctl watch --json`, {len(delays):,} events: median",
        f"{1000 * statistics.median(ordered):.0f} ms, 99 % under {1000 * late:.0f} ms, the longest",
        f"{1000 * ordered[-1]:.0f} ms; the limit is {1000 * DELAY:.0f} ms: **{verdict}**.",
        "",
        "Made by `.venv/bin/python -m bench.watch`.",
    ]


def row(process: Watched, seconds: float) -> str:
    share = (process.ended - process.began) / seconds
    verdict = "yes" if share <= CPU and process.peak <= MEMORY else "NO"
    return f"| {process.name} | {share:.2%} | {process.peak / 2**20:.0f} MiB | {verdict} |"


if __name__ == "__main__":
    main()
