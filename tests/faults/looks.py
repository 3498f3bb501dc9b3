"""Looks at what a fault left, without ftctl's own judgement of it, and at what ftctl says of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ftctl.deployments.kept import kept_of
from ftctl.leases.folder import holders
from ftctl.leases.model import Holder
from ftctl.process import ProcessId, alive, session_members
from ftctl.record import from_record
from ftctl.run.curve import curve
from ftctl.run.directory import RunDir
from tests.faults.place import Place

PATIENCE = 120.0  # seconds for a run to end and for processes to be gone
LIVE = {"RUNNING", "STOPPING", "PENDING"}
LIVE_DEPLOYMENT = {"starting", "running", "unhealthy", "restarting", "unsupervised"}


def recorded(run: Path, name: str) -> ProcessId | None:
    """The process that a run's file names, living or not."""
    record = RunDir(run).read_json(name)
    return None if record is None else from_record(ProcessId, record)


def runs_in(root: Path) -> set[Path]:
    """The runs in a folder of runs, half made ones too."""
    return {path.parent for name in ("run.json", "creator.json") for path in root.glob(f"*/*/{name}")}


def truth(run: Path) -> set[str]:
    """The states that can be true."""
    record = RunDir(run).read_json("exit.json")
    if record is not None:
        return {str(record["state"])}
    node = recorded(run, "node.json") or recorded(run, "creator.json")
    if node is not None and alive(node):
        return LIVE
    return {"LOST", *(LIVE if supervised(run) else ())}


def supervised(run: Path) -> bool:
    """Whether a process that supervises the run lives, be it that it has not said so yet."""
    tail = b"node\0" + bytes(run) + b"\0"
    return any(line.endswith(tail) for _, line in _processes("cmdline"))


def true_now(place: Place, run: Path) -> list[str]:
    """What `runs` and `ps` say that is not so, each at its first call; nothing where both tell the truth."""
    wrong, before, served = [], truth(run), _servers(place)
    listed = place.cli("runs", "--json", code=0).data["runs"]
    between = truth(run)  # it may have gone on between the looks
    wrong += _false_state("runs", _state(listed, run), before | between)
    told = place.cli("ps", "--all", "--json", code=0).data
    possible = between | truth(run)
    state = _state(told["runs"], run)
    if state or possible <= LIVE:  # what has ended is not shown
        wrong += _false_state("ps", state, possible)
    now = _servers(place)
    for name, states in ((entry["name"], entry["state"]) for entry in told["deployments"]):
        lives = states in LIVE_DEPLOYMENT
        if lives not in (served.get(name, False), now.get(name, False)):
            wrong.append(f"ps said the deployment {name} is {states}")
    return wrong


def _state(listed: list[dict[str, Any]], run: Path) -> str:
    return next((str(entry["state"]) for entry in listed if entry["directory"] == str(run)), "")


def _false_state(verb: str, state: str, possible: set[str]) -> list[str]:
    return [] if state in possible else [f"{verb} said {state or 'nothing'}, is {sorted(possible)}"]


def state_now(run: Path) -> str:
    """The state of a run that is still."""
    return min(truth(run))


def _servers(place: Place) -> dict[str, bool]:
    """Whether a process of each deployment lives that serves or is to see to it, by its name."""
    return {name: any(map(alive, processes)) for name, processes, _ in _deployments(place)}


def _deployments(place: Place) -> Iterator[tuple[str, list[ProcessId], bool]]:
    """Every deployment's name and its processes (who begins it, keeper, the one standing by, server), and
    whether it is meant to be there."""
    for path in place.state.glob("deployments/*/deployment.json"):
        record, kept = json.loads(path.read_text()), kept_of(path.parent)
        found = [] if kept is None else [kept.keeper, kept.standby, kept.process]
        if record["ready"] is None and record["ended"] is None:
            found.append(from_record(ProcessId, record["creator"]))
        meant = record["ready"] is not None and record["ended"] is None
        yield path.parent.name, found, meant


def serving(place: Place) -> set[int]:
    """The processes of deployments that are meant to live, their keepers too."""
    found = [one for _, processes, meant in _deployments(place) if meant for one in processes if alive(one)]
    return {pid for leader in found for pid in session_members(leader.pid)}


def settled(run: Path) -> bool:
    """Wait until nobody works on the run any more; false where that takes too long."""
    return waited(lambda: not truth(run) & LIVE)


def left_over(place: Place) -> list[str]:
    """The lane's processes that serve nothing, once those that are ending have had their time."""
    waited(lambda: not set(processes_of(place)) - serving(place))
    words = processes_of(place)
    return [words[pid] for pid in set(words) - serving(place)]


def leased(place: Place) -> list[str]:
    """The leases that are held by no process that serves; who hands one on needs a moment to say so."""
    waited(lambda: not _leased(place))
    return [f"a lease is held: GPU {one.index} by {one}" for one in _leased(place)]


def _leased(place: Place) -> list[Holder]:
    spared = serving(place)
    return [one for one in holders(place.leases) if one.pid not in spared] if place.own else []


def processes_of(place: Place) -> dict[int, str]:
    """Every process of the lane, by its pid: each was given the lane's home, and what it started too."""
    home = b"HOME=" + bytes(place.cli.home)
    found = {pid for pid, line in _processes("environ") if home in line.split(b"\0")}
    words = {pid: line.replace(b"\0", b" ").decode(errors="replace") for pid, line in _processes("cmdline")}
    return {pid: words.get(pid, "") for pid in found if words.get(pid)}  # a zombie has neither


def _processes(file: str) -> Iterator[tuple[int, bytes]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                yield int(entry.name), (entry / file).read_bytes()
            except OSError:
                continue


def steps_fault(place: Place, run: Path) -> str:
    """What is wrong with the run's curve, where every step must stand once, in order; empty: nothing."""
    steps = [event.data["step"] for event in curve(RunDir(run).events())]
    return "" if steps == list(range(1, place.steps + 1)) else f"its steps are {steps}"


def waited(condition: Callable[[], bool]) -> bool:
    """Whether it came true within PATIENCE."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
