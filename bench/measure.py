"""Measuring whole processes, and writing what was measured with the machine and the commands."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"
PYTHON = sys.executable
FTCTL = str(Path(PYTHON).with_name("ftctl"))


@dataclass(frozen=True)
class Sample:
    """One process from start to end: seconds of wall clock and of CPU (its children's included)."""

    wall: float
    cpu: float
    code: int


def once(argv: Sequence[str], *, cwd: Path = ROOT, env: Mapping[str, str] | None = None) -> Sample:
    """Run a command once. CPU seconds are those that wait4(2) reports for it and all it waited for."""
    began = time.perf_counter()
    child = subprocess.Popen(
        argv, cwd=cwd, env=environment(env), stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    return Sample(wall, usage.ru_utime + usage.ru_stime, child.returncode)


def interleaved(commands: Mapping[str, Sequence[str]], rounds: int) -> dict[str, list[Sample]]:
    """Every command once a round, A B A B, after one round that is thrown away (cold caches)."""
    samples: dict[str, list[Sample]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, argv in commands.items():
            sample = once(argv)
            if sample.code != 0:
                raise SystemExit(f"{name} failed with exit code {sample.code}: {' '.join(argv)}")
            if number:
                samples[name].append(sample)
    return samples


def environment(changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of measured commands: byte code is kept, as it is for a user."""
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, **(changes or {})}


def spread(values: Sequence[float]) -> str:
    """`median (lowest to highest)`, in milliseconds."""
    low, high = 1000 * min(values), 1000 * max(values)
    return f"{1000 * statistics.median(values):.0f} ms ({low:.0f} to {high:.0f})"


def machine() -> str:
    """One line on what was measured on."""
    model = next(
        (line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor() or "unknown processor",
    )
    memory = next(
        (int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0
    )
    load = os.getloadavg()[0]
    return (
        f"{model}, {os.cpu_count()} cores, {memory / 2**20:.0f} GiB, "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}, "
        f"load {load:.1f} at the start"
    )


def write(name: str, title: str, body: Sequence[str], *, began_on: str) -> None:
    """Write bench/results/NAME.md and print it."""
    date = time.strftime("%Y-%m-%d", time.gmtime())
    text = "\n".join((f"# {title}", "", f"{date}, {began_on}", "", *body)) + "\n"
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{name}.md").write_text(text)
    print(text)


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()
