"""What the kernel's memory killer has ended so far: here (the control group of this process) and anywhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Killed:
    """Counts of processes ended for memory; 0 where the kernel does not tell."""

    here: int
    anywhere: int

    def since(self, before: Killed) -> Killed:
        """What has been added since `before`."""
        return Killed(self.here - before.here, self.anywhere - before.anywhere)


def killed_for_memory() -> Killed:
    """The counts of now: `oom_kill` of cgroups(7), version 1 or 2, and of /proc/vmstat."""
    return Killed(_count(_group_file()), _count(Path("/proc/vmstat")))


def _group_file() -> Path:
    """The file of this process's control group that counts; a missing one where there is none."""
    groups = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    for _, controllers, path in groups:
        if "memory" in controllers.split(","):
            return GROUPS / "memory" / path.lstrip("/") / "memory.oom_control"
    for number, _, path in groups:
        if number == "0":
            return GROUPS / path.lstrip("/") / "memory.events"
    return GROUPS / "none"


def _count(file: Path) -> int:
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return 0
    counts = [int(line.split()[1]) for line in lines if line.startswith("oom_kill ")]
    return counts[0] if counts else 0
