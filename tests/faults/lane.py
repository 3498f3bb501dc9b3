"""One lane: `python -m tests.faults.lane FOLDER`, with the faults to try as JSON on standard input.

Prints a record for each as a line of JSON. With `--own` it has mounts of its own already.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.faults.aim import Moment
from tests.faults.clock import step
from tests.faults.disk import fill
from tests.faults.kills import kill, reboot
from tests.faults.looks import processes_of
from tests.faults.place import Place, make_place
from tests.faults.races import race
from tests.faults.tally import Fault

KINDS: dict[str, Callable[[Place, str, Moment], Fault]] = {
    "kill -9": kill,
    "reboot": reboot,
    "full disk": fill,
    "clock": step,
    "resumes at once": race,
}


def try_one(place: Place, kind: str, target: str, moment: Moment) -> Fault:
    """Try one fault of a kind."""
    return KINDS[kind](place, target, moment)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--own", action="store_true")
    options = parser.parse_args()
    place = make_place(options.folder, own=options.own)
    try:
        _work(place)
    finally:
        for pid in processes_of(place):  # of a fault that went wrong, or of a pass that was broken off
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    return 0


def _work(place: Place) -> None:
    works: list[dict[str, Any]] = json.load(sys.stdin)
    for work in works:
        began, moment = time.monotonic(), Moment(**work["moment"])
        try:
            fault = try_one(place, work["kind"], work["target"], moment)
        except Exception:  # noqa: BLE001 - a fault of the suite or of ftctl: told, and the lane goes on
            fault = Fault(work["kind"], work["target"], moment.phase, f"{moment}")
            fault.lost.append(traceback.format_exc())
        fault.seconds = round(time.monotonic() - began, 2)
        print(json.dumps(fault.record()), flush=True)


if __name__ == "__main__":
    sys.exit(main())
