"""Start a run and wait for a moment of it: a place inside a phase, so that each phase is really hit."""

from __future__ import annotations

import json
import random
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ftctl.deployments.kept import kept_of
from ftctl.events import Event
from ftctl.process import ProcessId
from ftctl.run.attempts import FROM_ENGINE
from ftctl.run.directory import RunDir
from tests.faults.job import EVERY, STEPS
from tests.faults.looks import PATIENCE, recorded, runs_in
from tests.faults.place import Place

# The phases of a run, and for how many seconds each lasts here: a moment is a share of that.
PHASES = {
    "setting up": 1.0,
    "loading": 0.3,
    "train": 1.5,
    "saving": 0.15,
    "merge": 0.3,
    "collect": 0.05,
    "serve": 0.4,
    "served": 0.5,
    "any time": 3.5,
}
POLL = 0.003  # seconds


@dataclass(frozen=True)
class Moment:
    """A place in a run: `after` seconds from the beginning of `phase`; of `saving`, at the step `step`."""

    phase: str
    after: float
    step: int = 0


@dataclass(frozen=True)
class Started:
    """A run that was started, or is about to be: `run` is None until its folder is there."""

    terminal: subprocess.Popen[bytes]
    root: Path
    known: frozenset[Path]
    errors: Path

    @property
    def run(self) -> Path | None:
        return next(iter(runs_in(self.root) - self.known), None)

    def said(self) -> str:
        """What the terminal has shown so far."""
        return self.errors.read_text(errors="replace")


def moments(chance: random.Random, count: int, phases: Sequence[str] = tuple(PHASES)) -> Iterator[Moment]:
    """As many moments in each phase, in a random order."""
    order = chance.sample(phases, len(phases))  # where there are fewer moments than phases, any of them
    chosen = [order[number % len(order)] for number in range(count)]
    chance.shuffle(chosen)
    for phase in chosen:
        step = chance.randrange(EVERY, STEPS + 1, EVERY)
        yield Moment(phase, round(chance.uniform(0, PHASES[phase]), 3), step)


def start(place: Place, root: Path, *options: str) -> Started:
    """`ftctl train` of the lane's job in a terminal of its own, its runs in `root`."""
    known, errors = frozenset(runs_in(root)), place.folder / "terminal.txt"
    with open(errors, "wb") as shown:
        terminal = subprocess.Popen(
            place.cli.argv("train", place.job, "--runs-dir", root, *options),
            cwd=place.work,
            env=place.cli.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=shown,
            start_new_session=True,
        )
    return Started(terminal, root, known, errors)


def reach(started: Started, moment: Moment) -> None:
    """Wait for the moment; a run that has ended or failed before it is let be."""
    begun = _beginning(moment)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and started.terminal.poll() is None:
        run = started.run
        if begun is None or (run is not None and begun(run)):
            break
        time.sleep(POLL)
    time.sleep(moment.after)


def _beginning(moment: Moment) -> Callable[[Path], bool] | None:
    """What shows that a phase has begun; None for one that begins with the command."""
    if moment.phase in ("setting up", "any time"):
        return None
    if moment.phase == "saving":
        return lambda run: (run / "output" / f"checkpoint-{moment.step}").exists()
    if moment.phase == "train":
        return lambda run: any(event.kind == "begin" for event in RunDir(run).events())
    if moment.phase == "served":
        return lambda run: (run / "exit.json").exists()
    name = "train" if moment.phase == "loading" else moment.phase
    return lambda run: any(_begins(event, name) for event in RunDir(run).events())


def _begins(event: Event, name: str) -> bool:
    return event.kind == "phase" and event.data.get("name") == name and event.data.get("state") == "started"


def phase_of(run: Path | None) -> str:
    """The phase that a run is in now, as its own files tell."""
    events = [] if run is None else list(RunDir(run).events())
    phases = [event for event in events if event.kind == "phase"]
    if run is None or not phases:
        return "setting up"
    name, last = str(phases[-1].data["name"]), phases[-1].data["state"]
    if last != "started":
        return f"after {name}"
    if name == "train" and not any(event.kind in FROM_ENGINE for event in events):
        return "loading"
    unfinished = [path for path in run.glob("output/checkpoint-*") if not _whole(path)]
    return "saving" if name == "train" and unfinished else name


def _whole(checkpoint: Path) -> bool:
    try:
        return bool(json.loads((checkpoint / "trainer_state.json").read_text()))
    except (OSError, ValueError):
        return False


def servers_of(place: Place) -> list[ProcessId]:
    """The servers of the lane's deployments, living or not."""
    found = (kept_of(path.parent) for path in place.state.glob("deployments/*/kept.json"))
    return [kept.process for kept in found if kept is not None]


def aimed(place: Place, started: Started, target: str) -> list[ProcessId]:
    """The processes that a target stands for, as far as they are there yet; the terminal aside."""
    run = started.run
    names = {"engine": ("engine",), "supervisor": ("node",), "both": ("node", "engine")}.get(target, ())
    found = [] if run is None else [recorded(run, f"{name}.json") for name in names]
    servers = servers_of(place) if target in ("engine", "both") else []
    return [one for one in (*found, *servers) if one is not None]
