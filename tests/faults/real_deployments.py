"""Kill a real vLLM's processes in every order: `python -m tests.faults.real_deployments [FAULTS] [--seed N]`.

The demo's tiny model is served on the CPU. Every fault is `kill -9` of the API server, its EngineCore and the
keeper in some order; the deployment must serve again, or be given up truthfully where `max_restarts` is 0,
with no process left over. A deployment takes three faults: with more, the wait before a restart grows.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from ftctl.process import ProcessId, alive, session_members
from tests.conftest import DEMO, ROOT, TRAIN_TIMEOUT, Cli, engine_python
from tests.faults.deployments import NAME, THREE, kept, kill_in, orders, told
from tests.faults.looks import left_over, waited
from tests.faults.place import Place
from tests.faults.tally import Fault

EACH = 3  # faults of one deployment
ALONE = 6  # every sixth deployment may not be started again


def furnish(folder: Path) -> Place:
    """A home and the tiny model."""
    for name in ("home", "work"):
        (folder / name).mkdir()
    cli = Cli(folder / "home", folder / "work", {"OMP_NUM_THREADS": "1"})
    maker = ROOT / "ftctl" / "inside" / "make_tiny_model.py"
    argv = [engine_python(cli, "llamafactory"), maker, folder / "model", "--text", DEMO / "ftctl-qa.jsonl"]
    subprocess.run([*map(str, argv)], capture_output=True, timeout=TRAIN_TIMEOUT, check=True)
    return Place(folder, False, cli, folder / "model", 0, TRAIN_TIMEOUT)


def strikes(place: Place, count: int, chance: random.Random) -> Iterator[Fault]:
    """So many faults, each with the seconds until the deployment was what it must be."""
    todo, python = [*orders()] * (1 + count // len(orders())), engine_python(place.cli, "vllm")
    chance.shuffle(todo)
    number = done = 0
    while done < count:
        number += 1
        hopeless = number % ALONE == 0
        serve(place, python, restarts=0 if hopeless else 1000)
        for order in [("server",)] if hopeless else todo[done : min(done + EACH, count)]:
            began = time.monotonic()
            noticed = None if hopeless else partial(seen, place, order, kept(place).process)
            fault = kill_in(place, order, chance, engine_of, hopeless=hopeless, noticed=noticed)
            fault.seconds = round(time.monotonic() - began, 1)
            done += 1
            yield fault
        place.cli("stop", "--all", timeout=TRAIN_TIMEOUT, code=0)
        left = left_over(place)
        assert not left, left


def serve(place: Place, python: Path, *, restarts: int) -> None:
    """Deploy the model, and wait until somebody stands by its keeper."""
    options = ("--name", NAME, "--engine-python", python, "--set", f"max_restarts={restarts}")
    place.cli("deploy", place.job, *options, timeout=TRAIN_TIMEOUT, code=0)
    assert waited(lambda: (now := kept(place)).state == "running" and alive(now.standby))


def seen(place: Place, order: tuple[str, ...], server: ProcessId) -> None:
    """Wait until the keeper has seen that `server` is no more, where it or its engine was killed."""
    if {"server", "engine"} & set(order):
        waited(lambda: (now := kept(place)).process != server or now.state != "running")


def engine_of(place: Place) -> int:
    """The EngineCore of the server; where it has none yet, or no longer, the server's own process."""
    server = kept(place).process.pid
    for pid in session_members(server):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if b"EngineCore" in words:
            return pid
    return server


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("faults", type=int, nargs="?", default=len(THREE) * 4)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    print(f"{options.faults} faults of a real vLLM, seed {options.seed}, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(prefix="ftctl-faults-", ignore_cleanup_errors=True) as folder:
        place = furnish(Path(folder).resolve())
        return told(strikes(place, options.faults, random.Random(options.seed)))


if __name__ == "__main__":
    sys.exit(main())
