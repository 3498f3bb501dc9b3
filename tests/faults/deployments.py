"""Kill a deployment's processes in every order, and see it serve again: part of `make faults`.

    python -m tests.faults.deployments [FAULTS] [--seed N]

Each fault is a deployment of its own, whose server, engine process and keeper (and sometimes the one that
stands by) get `kill -9`, one after the other. It must serve again, or be given up truthfully, with no process
left over and its GPU leased as long as a server lives. Ends with 1 where that was not so.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import permutations
from pathlib import Path

from ftctl.deployments import client
from ftctl.deployments.kept import Kept, kept_of
from ftctl.leases.folder import holders
from ftctl.process import alive, own_session
from tests.conftest import ROOT
from tests.faults.looks import PATIENCE, left_over, waited
from tests.faults.place import Place, apart, make_place
from tests.faults.tally import Fault, text
from tests.model_files import write_model

NAME = "faulty"
THREE = ("server", "engine", "keeper")
LONGEST = 0.4  # seconds between two kills: a keeper needs some 0.2 to see an end, a standby less to follow
Engine = Callable[[Place], int]  # the pid of the engine's process
STANDIN = ROOT / "tests" / "standin" / "server.py"


def orders() -> list[tuple[str, ...]]:
    """Every order in which one to three of them are killed, and what nobody is left to see."""
    found = [order for count in (1, 2, 3) for order in permutations(THREE, count)]
    return [*found, ("standby", "keeper"), ("standby", "keeper", "server"), ("keeper", "keeper", "server")]


def strike(place: Place, order: tuple[str, ...], chance: random.Random, *, hopeless: bool) -> Fault:
    """One deployment, its kills, and what comes of it; a `hopeless` server starts only once."""
    _deploy(place, hopeless=hopeless)
    fault = kill_in(place, order, chance, _engine, hopeless=hopeless)
    place.cli("stop", "--all", timeout=PATIENCE, code=0)
    fault.orphaned += left_over(place)
    fault.leased += [f"after the stop: {one}" for one in holders(place.leases)] if place.own else []
    return fault


def kill_in(
    place: Place,
    order: tuple[str, ...],
    chance: random.Random,
    engine: Engine,
    *,
    hopeless: bool,
    noticed: Callable[[], object] | None = None,
) -> Fault:
    """Kill a deployment's processes in that order, and see what it becomes; `engine` finds the engine's.

    `noticed` waits where a server needs time to see that its engine is gone.
    """
    gaps = [round(chance.uniform(0, LONGEST) * chance.choice((0, 1)), 3) for _ in order]
    fault = Fault("deployment", " ".join(order), "hopeless" if hopeless else "sound", f"{order} {gaps}")
    for victim, gap in zip(order, gaps, strict=True):
        _kill(place, victim, engine)
        _watch_for(place, gap, fault)
    if "standby" in order:  # the next command gives it another keeper
        place.cli("ps", "--json", code=0)
    if noticed is not None:
        noticed()
    must_fail = hopeless and set(order) & {"server", "engine"}
    _settle(place, fault, "failed" if must_fail else "running")
    fault.orphaned += left_over(place)
    return fault


def _deploy(place: Place, *, hopeless: bool) -> None:
    options = ("--name", NAME, "--engine-python", STANDIN, "--set", f"gpus={int(place.own)}")
    more = {**place.cli.more, "STAND_IN": "once" if hopeless else "tied"}
    replace(place.cli, more=more)("deploy", place.work / "model", *options, timeout=PATIENCE, code=0)
    waited(lambda: (now := kept(place)).state == "running" and alive(now.standby))


def _folder(place: Place) -> Path:
    return place.state / "deployments" / NAME


def kept(place: Place) -> Kept:
    found = kept_of(_folder(place))
    assert found is not None
    return found


def _engine(place: Place) -> int:
    return int((_folder(place) / "child.pid").read_text())


def _kill(place: Place, victim: str, engine: Engine) -> None:
    now = kept(place)
    if victim == "engine":
        pid = engine(place)
    else:
        pid = {"server": now.process, "keeper": now.keeper, "standby": now.standby}[victim].pid
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _watch_for(place: Place, seconds: float, fault: Fault) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        _lease_held(place, fault)
        time.sleep(0.02)


def _lease_held(place: Place, fault: Fault) -> None:
    """A living server's GPU is leased, to its keeper or to itself."""
    server = kept(place).process
    free = place.own and not holders(place.leases)
    if free and alive(server):  # looked at last: it may have ended meanwhile
        fault.leased.append("a server lives and its GPU is leased to nobody")


def _settle(place: Place, fault: Fault, wanted: str) -> None:
    """Wait until it is what it must become; what `ps` says of it must be so."""

    def there() -> bool:
        _lease_held(place, fault)
        return _state(place) == wanted

    if not waited(there):
        fault.lost.append(f"it is {_state(place)}, not {wanted}: {_tail(_folder(place))}")
    elif wanted == "failed":
        if own_session(kept(place).process):
            fault.untrue.append("it is failed and something of it lives")
    elif not _answers(place):
        fault.untrue.append("it is running and does not answer")


def _state(place: Place) -> str:
    (row,) = place.cli("ps", "--all", "--json", code=0).data["deployments"]
    return str(row["state"])


def _answers(place: Place) -> bool:
    (row,) = place.cli("ps", "--json", code=0).data["deployments"]
    client.compute_once(row["address"], (_folder(place) / "key").read_text().strip(), NAME, "generate", 10.0)
    return alive(kept(place).process) and waited(
        lambda: alive(kept(place).keeper) and alive(kept(place).standby)
    )


def _tail(folder: Path) -> str:
    return (folder / "server.log").read_text(errors="replace")[-600:]


def in_place(folder: Path, count: int, seed: int, *, own: bool) -> Iterator[Fault]:
    """So many faults, one after the other, in a place made in `folder`."""
    chance, place = random.Random(seed), make_place(folder, own=own)
    write_model(place.work / "model")
    todo = [*orders()] * (1 + count // len(orders()))
    for number, order in enumerate(todo[:count]):
        began = time.monotonic()
        fault = strike(place, order, chance, hopeless=number % 6 == 5)
        fault.seconds = round(time.monotonic() - began, 1)
        yield fault


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("faults", type=int, nargs="?", default=50)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--own", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    words = None if options.own else apart()
    if words is not None:
        again = [*words, sys.executable, "-m", "tests.faults.deployments", str(options.faults)]
        return subprocess.run([*again, "--seed", str(options.seed), "--own"], check=False).returncode
    print(f"{options.faults} deployments, seed {options.seed}" + ("" if options.own else ", without GPUs"))
    with tempfile.TemporaryDirectory(prefix="ftctl-faults-", ignore_cleanup_errors=True) as folder:
        place = Path(folder).resolve()
        return told(in_place(place, options.faults, options.seed, own=options.own))


def told(faults: Iterable[Fault]) -> int:
    """Print each fault once it is over and the figures of all; 1 where something was wrong."""
    found, began = [], time.monotonic()
    for fault in faults:
        found.append(fault)
        print(*(fault.wrong or [f"{len(found)} {fault.name} {fault.seconds} s"]), sep="\n", flush=True)
    print(text(found))
    print(f"took {time.monotonic() - began:.0f} s")
    return 1 if any(fault.wrong for fault in found) else 0


if __name__ == "__main__":
    sys.exit(main())
