"""Run by a server's interpreter: import the engine while the weights are made ready, then become its server.

    python -m waiting_server MODULE        (in the deployment's folder)

What to serve is said by launch.json there once it `waits` no longer: its command is `python -m MODULE …`, and
this process goes on as that. Nothing is read of any model before, and no GPU is touched. It ends when who
began the deployment has, for then nobody is left to say it.
"""

from __future__ import annotations

import importlib
import json
import runpy
import sys
import time
from pathlib import Path
from typing import Any

LAUNCH = Path("launch.json")
POLL = 0.02  # seconds


def main() -> None:
    module = sys.argv[1]
    importlib.import_module(module)
    # It runs anew under the name __main__, as `python -m` has it; all that it imports is there.
    del sys.modules[module]
    sys.argv[1:] = told(module)
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def told(module: str) -> list[str]:
    """The words that follow the module in the command, as soon as they are known."""
    while (launch := json.loads(LAUNCH.read_text()))["waits"]:
        if not lives(launch["creator"]):
            sys.exit("nobody is left to say what to serve")
        time.sleep(POLL)
    argv: list[str] = launch["argv"]
    return argv[argv.index(module) + 1 :]


def lives(process: dict[str, Any]) -> bool:
    """Whether that very process still runs (proc(5): its state, and its start in clock ticks since boot)."""
    try:
        fields = Path(f"/proc/{process['pid']}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return fields[0] not in "ZX" and int(fields[19]) == process["started"]


if __name__ == "__main__":
    main()
