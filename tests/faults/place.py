"""A machine of a lane's own: its home, its GPUs, its boot id and its small disk, in a namespace of mounts.

What needs the namespace is left out where the machine refuses one, and the suite says so.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import Cli
from tests.faults.job import PACE, STEPS, write_job

DRIVER = Path("/proc/driver")  # an NVIDIA driver shows itself there
BOOT = Path("/proc/sys/kernel/random/boot_id")
SMI = """#!/bin/sh
echo "0, 81559, 9.0, GPU-stand-in-0, Stand-in"
echo "1, 81559, 9.0, GPU-stand-in-1, Stand-in"
"""


def apart() -> list[str] | None:
    """The words before a command that give it mounts of its own; None where the machine refuses."""
    for options in (["-m"], ["-r", "-m"]):
        words = ["unshare", *options]
        if shutil.which("unshare") and _succeeds(*words, "mount", "-t", "tmpfs", "none", str(DRIVER)):
            return words
    return None


@dataclass(frozen=True)
class Place:
    """Where a lane works. With `own` mounts it has stand-in GPUs, a boot id and a small disk.

    A whole run of its job has so many `steps`, and is waited for so many seconds of `patience`.
    """

    folder: Path
    own: bool
    cli: Cli
    job: Path
    steps: int = STEPS
    patience: float = 120.0

    @property
    def leases(self) -> Path:
        return self.folder / "leases"

    @property
    def work(self) -> Path:
        return self.cli.cwd

    @property
    def small(self) -> Path:
        """A disk of 4 MiB, where mounts are its own."""
        return self.folder / "small"

    @property
    def state(self) -> Path:
        """The folder of ftctl's state, then a disk of its own too."""
        return self.cli.home / "ftctl" / "state"

    def reboot(self) -> None:
        """What is different after a boot, once no process is left: the boot's id, and no leases."""
        (self.folder / "boot").write_text(f"{uuid.uuid4()}\n")
        shutil.rmtree(self.leases, ignore_errors=True)


def make_place(folder: Path, *, own: bool, more: Mapping[str, str] | None = None) -> Place:
    """Furnish `folder`; with `own` this process has mounts of its own already."""
    for name in ("home", "work", "bin", "small"):
        (folder / name).mkdir(parents=True)
    if own:
        _furnish(folder)
    environment = {
        **PACE,
        "FTCTL_LEASES": str(folder / "leases"),
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        **(more or {}),
    }
    cli = Cli(folder / "home", folder / "work", environment)
    return Place(folder, own, cli, write_job(folder / "work", gpus=int(own)))


def _furnish(folder: Path) -> None:
    (folder / "bin" / "nvidia-smi").write_text(SMI)
    (folder / "bin" / "nvidia-smi").chmod(0o755)
    (folder / "boot").write_text(BOOT.read_text())
    _mount("-t", "tmpfs", "none", str(DRIVER))
    (DRIVER / "nvidia").mkdir()
    _mount("--bind", str(folder / "boot"), str(BOOT))
    state = folder / "home" / "ftctl" / "state"
    state.mkdir(parents=True)
    for disk in (folder / "small", state):
        _mount("-t", "tmpfs", "-o", "size=4m", "none", str(disk))


def _mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)


def _succeeds(*words: str) -> bool:
    return subprocess.run(list(words), capture_output=True, check=False).returncode == 0
