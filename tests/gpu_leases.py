"""Ask for GPUs as a command does, and race for them with many processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ftctl.facts.model import Gpu
from ftctl.facts.nvml import Load
from ftctl.leases.folder import holders
from ftctl.leases.hold import Lease
from ftctl.leases.model import Wish
from ftctl.leases.take import Asking, take

STANDIN = Path(__file__).parent / "standin"
RACE = str(STANDIN / "gpu_race.py")
IDLE = Load(80 * 2**30, 0, 0)


def cards(count: int) -> tuple[Gpu, ...]:
    return tuple(Gpu(index, "any", 1, None, f"GPU-{index}") for index in range(count))


def ask(
    folder: Path,
    count: int = 0,
    *named: int,
    gpus: int = 4,
    loads: dict[int, Load] | None = None,
    said: list[str] | None = None,
) -> Lease:
    """Take GPUs in this process, without waiting."""
    wish = Wish(named, max(count, len(named)), tuple(range(gpus)))
    words = [] if said is None else said
    asking = Asking(wish, cards(gpus), "this test", folder, lambda: (loads or {}, None), words.append)
    return take(asking)


def race(
    folder: Path, processes: int, gpus: int, wanted: int, mode: str, out: int
) -> subprocess.Popen[bytes]:
    numbers = map(str, (processes, gpus, wanted))
    return subprocess.Popen(
        [sys.executable, RACE, str(folder), *numbers, mode], stdin=subprocess.PIPE, stdout=out
    )


def held(folder: Path) -> list[int]:
    return [one.index for one in holders(folder)]
