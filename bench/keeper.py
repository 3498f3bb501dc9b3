"""What a deployment's keeper costs: its memory, and its share of a core while it watches.

.venv/bin/python -m bench.keeper
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from pathlib import Path

from bench.measure import FTCTL, environment, machine, write
from ftctl.deployments.kept import Kept, kept_of
from ftctl.process import alive

ROOT = Path(__file__).resolve().parent.parent
WATCHED = 120.0  # seconds: four looks at the server
MEMORY, SHARE = 60.0, 1.0  # MB for the keeper and the one that stands by; percent of a core
NAME = "pipeline"


def main() -> None:
    began_on = machine()
    with tempfile.TemporaryDirectory() as scratch:
        env = environment({"FTCTL_HOME": scratch})
        job = ROOT / "configs" / "dummy" / "pipeline.yaml"
        subprocess.run(
            [FTCTL, "train", str(job), "--runs-dir", f"{scratch}/runs"],
            env=env,
            check=True,
            capture_output=True,
        )
        try:
            keeper, standby, share = watched(Path(scratch) / "state" / "deployments" / NAME)
        finally:
            subprocess.run([FTCTL, "stop", NAME, "--now", "--json"], env=env, check=True, capture_output=True)
    within = keeper + standby <= MEMORY and share <= SHARE
    body = [
        f"A dummy server that `ftctl train` started, watched for {WATCHED:.0f} s once it was ready. Memory",
        "is resident (VmRSS of /proc/PID/status, in MB of 10⁶ bytes), time that of both.",
        "",
        "| | keeper | standing by | together |",
        "|---|---|---|---|",
        f"| memory | {keeper:.1f} MB | {standby:.1f} MB | {keeper + standby:.1f} MB |",
        f"| of a core | | | {share:.2f} % |",
        "",
        f"The limits are {MEMORY:.0f} MB and {SHARE:.0f} % of a core: **{'within' if within else 'OVER'}**.",
        "",
        "Made by `.venv/bin/python -m bench.keeper`.",
    ]
    write("keeper", "What a deployment's keeper costs", body, began_on=began_on)


def watched(folder: Path) -> tuple[float, float, float]:
    """Memory of the keeper and of the one that stands by, in MB, and their share of a core in percent."""
    kept = _ready(folder)
    pids = (kept.keeper.pid, kept.standby.pid)
    time.sleep(5.0)  # both have begun
    before, began = sum(map(_seconds, pids)), time.monotonic()
    time.sleep(WATCHED)
    used = sum(map(_seconds, pids)) - before
    keeper, standby = map(_resident, pids)
    return keeper, standby, 100 * used / (time.monotonic() - began)


def _ready(folder: Path) -> Kept:
    while (kept := kept_of(folder)) is None or kept.state != "running" or not alive(kept.standby):
        time.sleep(0.1)
    return kept


def _seconds(pid: int) -> float:
    """User and system time of a process, and of its children that have ended (proc(5), fields 14 to 17)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def _resident(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmRSS"))


if __name__ == "__main__":
    main()
