"""A look at the machine: what ftctl needs, what it has, and the way out of each thing that is missing."""

from __future__ import annotations

import platform
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from subprocess import TimeoutExpired

from ftctl import process
from ftctl.engines.inventory import DRIVER, entries
from ftctl.engines.uv import uv_bin
from ftctl.leases.folder import holders
from ftctl.leases.queue import queue
from ftctl.paths import engines_dir, leases_dir, state_dir

ROOM = 10 * 2**30  # bytes: the four CPU environments, once uv's cache is counted too


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `state` is ok, note (good to know) or missing (ftctl needs it)."""

    what: str
    state: str
    answer: str
    remedy: str = ""


def checkup(environ: Mapping[str, str]) -> list[Finding]:
    """Everything, in the order in which a user would put it right."""
    return [
        Finding("python", "ok", f"{platform.python_version()} ({sys.executable})"),
        uv_finding(),
        folder_finding("state folder", state_dir(environ)),
        folder_finding("engines folder", engines_dir(environ)),
        disk_finding(engines_dir(environ)),
        gpu_finding(environ),
        *lease_findings(leases_dir(environ)),
        *engine_findings(environ),
    ]


def uv_finding() -> Finding:
    """Whether the uv that came with ftctl runs."""
    remedy = "install ftctl anew: uv is one of its dependencies"
    try:
        done = process.run([uv_bin(), "--version"], timeout=10)
    except (OSError, TimeoutExpired) as error:
        return Finding("uv", "missing", str(error), remedy)
    good = done.code == 0
    return Finding("uv", "ok" if good else "missing", done.out.strip(), "" if good else remedy)


def folder_finding(what: str, folder: Path) -> Finding:
    """Whether ftctl can write into a folder, or make it where it is not there yet."""
    place = _existing(folder)
    try:
        with tempfile.TemporaryFile(dir=place):
            return Finding(what, "ok", str(folder))
    except OSError as error:
        return Finding(what, "missing", f"{folder}: {error.strerror}", "make it writable, or set FTCTL_HOME")


def disk_finding(folder: Path) -> Finding:
    """Whether there is room for engine environments."""
    place = _existing(folder)
    free = shutil.disk_usage(place).free
    answer = f"{free / 2**30:.1f} GiB free at {place}"
    if free >= ROOM:
        return Finding("disk", "ok", answer)
    return Finding("disk", "note", answer, "engines need up to 10 GiB; FTCTL_HOME may name a larger disk")


def gpu_finding(environ: Mapping[str, str]) -> Finding:
    """The GPUs that NVIDIA's driver lists."""
    smi = shutil.which("nvidia-smi", path=environ.get("PATH"))
    if smi is None:
        if DRIVER.exists():
            return Finding(
                "gpu", "note", "NVIDIA's driver is loaded, nvidia-smi is not there", "add it to PATH"
            )
        return Finding("gpu", "note", "no NVIDIA driver; engines run on the CPU")
    try:
        done = process.run(
            [smi, "--query-gpu=index,name,memory.total", "--format=csv,noheader"], env=environ, timeout=20
        )
    except (OSError, TimeoutExpired) as error:
        return Finding("gpu", "note", f"nvidia-smi: {error}", "see whether the driver answers")
    lines = [" ".join(line.split()) for line in done.out.splitlines() if line.strip()]
    if done.code != 0 or not lines:
        said = (done.err or done.out).strip() or "it lists no GPU"
        return Finding("gpu", "note", f"nvidia-smi: {said}", "see whether the driver answers")
    return Finding("gpu", "ok", "; ".join(lines))


def lease_findings(folder: Path) -> list[Finding]:
    """Who holds which GPU, and who waits; nothing where nobody does."""
    return [
        *(Finding(f"gpu {one.index}", "note", f"is held by {one}") for one in holders(folder)),
        *(Finding("gpu queue", "note", f"{one.who} waits") for one in queue(folder)),
    ]


def engine_findings(environ: Mapping[str, str]) -> list[Finding]:
    """The environments that are built; `ftctl engines doctor` asks each whether it is well."""
    built = [one for one in entries(environ) if one.version]
    if not built:
        return [
            Finding("engines", "note", "none installed; they are on first use", "ftctl engines install NAME")
        ]
    return [Finding(f"{one.engine} ({one.variant})", "ok", f"{one.version} in {one.folder}") for one in built]


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next(place for place in (folder, *folder.parents) if place.is_dir())
