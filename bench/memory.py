"""Memory: the resident size of ftctl's own processes while a training runs.

.venv/bin/python -m bench.memory
"""

from __future__ import annotations

import json
import os
import pty
import subprocess
import tempfile
import time
from pathlib import Path

from bench.demo_job import write_job
from bench.measure import FTCTL, environment, machine, write

LIMIT = 60.0  # MB, all of ftctl's own processes together


def main() -> None:
    began_on = machine()
    rows, worst = [], 0.0
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        job = write_job(folder)
        for where in ("a terminal", "a pipe"):
            sizes = training(job, folder / where.split()[1], terminal=where == "a terminal")
            total = sum(sizes.values())
            worst = max(worst, total)
            rows.append(f"| {where} | {sizes['train']:.1f} | {sizes['node']:.1f} | {total:.1f} |")
    body = [
        "The largest resident size (VmRSS of /proc/PID/status, every 50 ms, in MB of 10⁶ bytes) from the",
        "moment the supervisor runs until the demo's job has ended.",
        "",
        "| `ftctl train` writes to | ftctl train | ftctl node | together |",
        "|---|---|---|---|",
        *rows,
        "",
        f"The limit is {LIMIT:.0f} MB together: **{'within' if worst <= LIMIT else 'OVER'}**.",
        "",
        "Made by `.venv/bin/python -m bench.memory`.",
    ]
    write("memory", "Memory of ftctl's own processes", body, began_on=began_on)


def training(job: Path, runs: Path, *, terminal: bool) -> dict[str, float]:
    """Train once; the peak size in MB of the following and of the supervising process."""
    main, side = pty.openpty() if terminal else os.pipe()
    child = subprocess.Popen(
        [FTCTL, "train", str(job), "--runs-dir", str(runs)],
        env=environment({"TERM": "xterm-256color", "CI": ""}),
        stdin=subprocess.DEVNULL,
        stdout=side,
        stderr=side,
    )
    os.close(side)
    os.set_blocking(main, False)
    peaks = {"train": 0.0, "node": 0.0}
    while child.poll() is None:
        drain(main)
        for record in runs.glob("*/*/node.json"):
            peaks["node"] = max(peaks["node"], resident(json.loads(record.read_text())["pid"]))
            peaks["train"] = max(peaks["train"], resident(child.pid))
        time.sleep(0.05)
    os.close(main)
    if child.returncode != 0:
        raise SystemExit(f"ftctl train failed with exit code {child.returncode}")
    if not all(peaks.values()):
        raise SystemExit(f"a process was never seen: {peaks}")
    return peaks


def drain(reader: int) -> None:
    """Read away what was written, so that the writer never waits."""
    try:
        while os.read(reader, 65536):
            pass
    except OSError:  # nothing to read now (EAGAIN), or the terminal has gone (EIO)
        return


def resident(pid: int) -> float:
    """The resident size of a process in MB; 0 where it has gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmRSS")), 0.0)


if __name__ == "__main__":
    main()
