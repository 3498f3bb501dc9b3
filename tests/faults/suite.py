"""Strike runs at random moments, and see that nothing is lost: `make faults`.

    python -m tests.faults.suite [FAULTS] [--seed N] [--lanes N] [--only KIND]

The command line, the supervisor and the deployment are the real ones; the engines are the stand-ins of
tests/standin. Ends with 1 where a run was lost, a process was left over, a GPU stayed leased or a state
was not true.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.faults import clock, disk, kills, races
from tests.faults.aim import moments
from tests.faults.place import apart
from tests.faults.tally import Fault, text

Work = dict[str, Any]
LANES = 3  # a run of the stand-ins waits more than it computes


def works(count: int, chance: random.Random) -> list[Work]:
    """The faults of a pass: so many `kill -9`, and of the other kinds a share of that."""
    found = [*_spread("kill -9", kills.TARGETS, count, chance)]
    found += _spread("reboot", kills.REBOOTS, max(2, count // 8), chance)
    found += _spread("full disk", disk.TARGETS, max(2, count // 8), chance)
    found += _spread("clock", tuple(clock.STEPS), max(2, count // 12), chance)
    found += _spread("resumes at once", (f"{races.RACERS} resumes",), max(1, count // 30), chance)
    chance.shuffle(found)
    return found


def _spread(kind: str, targets: tuple[str, ...], count: int, chance: random.Random) -> Iterator[Work]:
    """As many faults on each target, each target in every phase."""
    each = -(-count // len(targets))
    pairs = [(target, moment) for target in targets for moment in moments(chance, each)]
    for target, moment in pairs[:count]:
        yield {"kind": kind, "target": target, "moment": asdict(moment)}


def in_lane(folder: Path, share: list[Work], words: list[str] | None, found: list[Fault]) -> None:
    """Try a share of the faults in a lane of its own, and gather their records as they come."""
    own = ["--own"] if words is not None else []
    argv = [*(words or ()), sys.executable, "-m", "tests.faults.lane", str(folder), *own]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as lane:
        assert lane.stdin is not None and lane.stdout is not None
        json.dump(share, lane.stdin)
        lane.stdin.close()
        for line in lane.stdout:
            fault = Fault(**json.loads(line))
            found.append(fault)
            for wrong in fault.wrong:
                print(wrong, flush=True)
    if lane.returncode:
        found.append(Fault("lane", "suite", "", folder.name, lost=[f"it ended with {lane.returncode}"]))


def run_lanes(folder: Path, todo: list[Work], count: int) -> list[Fault]:
    """Every fault in `todo`, by so many lanes at once."""
    found: list[Fault] = []
    words = apart()
    if words is None:
        print("no mounts of its own: neither GPUs nor their leases, nor a new boot, nor a full disk")
    lanes = [
        threading.Thread(
            target=in_lane, args=(folder / f"lane-{number}", todo[number::count], words, found), daemon=True
        )
        for number in range(count)
    ]
    for lane in lanes:
        lane.start()
    try:
        while any(lane.is_alive() for lane in lanes):
            time.sleep(0.5)
            if sys.stderr.isatty():
                sys.stderr.write(f"\r{len(found)} of {len(todo)} ")
    except KeyboardInterrupt:  # the lanes see it too, and put away what they started
        print("broken off")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("faults", type=int, nargs="?", default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--lanes", type=int, default=LANES)
    parser.add_argument("--only", help="one kind alone")
    options = parser.parse_args()
    began = time.monotonic()
    todo = works(options.faults, random.Random(options.seed))
    todo = [work for work in todo if options.only in (None, work["kind"])]
    print(f"{len(todo)} faults, seed {options.seed}, {options.lanes} lanes", flush=True)
    with tempfile.TemporaryDirectory(prefix="ftctl-faults-", ignore_cleanup_errors=True) as place:
        found = run_lanes(Path(place).resolve(), todo, options.lanes)
    print(text(found))
    print(f"took {time.monotonic() - began:.0f} s")
    return 1 if any(fault.wrong for fault in found) else 0


if __name__ == "__main__":
    sys.exit(main())
