"""What this machine has: GPUs, cores, memory and disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from subprocess import TimeoutExpired

from ftctl import process
from ftctl.facts.model import Gpu, MachineFacts

DRIVER = (Path("/proc/driver/nvidia"), Path("/dev/dxg"))  # Linux, and Linux under Windows (WSL)
QUERY = ("--query-gpu=index,memory.total,compute_cap,uuid,name", "--format=csv,noheader,nounits")
MIB = 1 << 20


def machine_facts(
    directory: Path, environ: Mapping[str, str], *, driver: tuple[Path, ...] = DRIVER
) -> MachineFacts:
    """Look the machine up. `disk_free` is of the file system that `directory` is on, or will be."""
    gpus, trouble = _gpus(environ, driver)
    return MachineFacts(
        gpus=gpus,
        cuda_visible_devices=environ.get("CUDA_VISIBLE_DEVICES"),
        cpus=len(os.sched_getaffinity(0)),
        memory=_memory(),
        disk_free=disk_free(directory),
        driver_problem=trouble,
    )


def _gpus(environ: Mapping[str, str], driver: tuple[Path, ...]) -> tuple[tuple[Gpu, ...], str | None]:
    """The GPUs that the driver lists, and what keeps it from doing so. Costs nothing without a driver."""
    if not any(path.exists() for path in driver):
        return (), None
    program = shutil.which("nvidia-smi", path=environ.get("PATH"))
    if program is None:
        return (), "there is an NVIDIA driver but no nvidia-smi on the PATH"
    try:
        done = process.run((program, *QUERY), env=environ, timeout=30)
    except (OSError, TimeoutExpired) as error:
        return (), f"nvidia-smi did not answer: {error}"
    if done.code:
        return (), (done.out + done.err).strip() or f"nvidia-smi ended with {done.code}"
    return parse_gpus(done.out), None


def parse_gpus(text: str) -> tuple[Gpu, ...]:
    """The GPUs in nvidia-smi's CSV (index, MiB, compute capability, UUID, name).

    A memory that it does not know is 0.
    """
    gpus = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split(",", 4)]
        if len(cells) == 5 and cells[0].isdigit():
            index, memory, capability, uuid, name = cells
            size = int(memory) * MIB if memory.isdigit() else 0
            gpus.append(Gpu(int(index), name, size, _number(capability), uuid or None))
    return tuple(gpus)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _memory() -> int:
    """Bytes that this process may use: the machine's, or less where a control group says so."""
    total = parse_meminfo(Path("/proc/meminfo").read_text())
    return min([total, *_cgroup_limits(Path("/sys/fs/cgroup"), Path("/proc/self/cgroup").read_text())])


def parse_meminfo(text: str) -> int:
    """MemTotal in bytes (proc(5): it is given in KiB)."""
    line = next(line for line in text.splitlines() if line.startswith("MemTotal:"))
    return int(line.split()[1]) * 1024


def _cgroup_limits(root: Path, own: str) -> list[int]:
    """The memory limits, in bytes, of the control groups that this process is in (version 2, then 1)."""
    limits = []
    for line in own.splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers in ("", "memory"):
            base, name = (
                (root, "memory.max") if not controllers else (root / "memory", "memory.limit_in_bytes")
            )
            group = base / path.lstrip("/")
            for folder in (group, *group.parents):
                limits.append(_limit(folder / name))
                if folder == base:
                    break
    return [limit for limit in limits if limit is not None]


def _limit(file: Path) -> int | None:
    try:
        text = file.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


def disk_free(directory: Path) -> int:
    """Free bytes for this user where `directory` is, or at the nearest folder above that exists."""
    place = next(
        folder for folder in (directory.absolute(), *directory.absolute().parents) if folder.exists()
    )
    status = os.statvfs(place)
    return status.f_bavail * status.f_frsize
