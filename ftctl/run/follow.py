"""Follow a run from any shell: its events as they come, until it has ended."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftctl.errors import Interrupted
from ftctl.events import Event, parse
from ftctl.run.control import request_stop, stop
from ftctl.run.directory import EVENTS, RunDir, Tail
from ftctl.run.state import ending, standing, supervisor

POLL = 0.1  # seconds


@dataclass(frozen=True)
class Ending:
    """How a run ended, as its exit record says; a run whose node died has state LOST and exit code 1."""

    state: str
    exit_code: int
    message: str
    remedy: str


def follow(
    path: Path,
    show: Callable[[Event], None],
    say: Callable[[str], None],
    *,
    watching: bool = False,
    since: int = 0,
) -> Ending:
    """Show every event of a run until it ends, those before the byte `since` left out.

    Ctrl-C asks it to stop, a second one ends it at once. Who is only `watching` is let go by Ctrl-C with
    Interrupted, and the run is left alone.
    """
    run, tail, asked = RunDir(path), Tail(path / EVENTS, since), False
    while True:
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
            ended = _ending(run)
            _show_new(tail, show)
            if ended is not None:
                return ended
            time.sleep(POLL)
        except KeyboardInterrupt:
            if watching:
                again = f"ftctl watch {path.name} shows it again, ftctl stop {path.name} ends it"
                raise Interrupted(f"the run {path.name} goes on", again) from None
            if asked:
                say("ending it at once")
                stop(path, now=True)
                continue
            asked = True
            say("stopping: the engine saves a checkpoint first; Ctrl-C again ends it at once")
            request_stop(path)


def _show_new(tail: Tail, show: Callable[[Event], None]) -> None:
    while lines := tail.lines():
        for line in lines:
            event = parse(line)
            if event is not None:
                show(event)


def _ending(run: RunDir) -> Ending | None:
    """The end, if it has come. It is read before the events, so that none of them is missed."""
    record = ending(run)
    if not record and standing(run.path) == "LOST":
        record = ending(run) or _lost(run)
    if not record:
        return None
    return Ending(record["state"], record["exit_code"], record["message"], record["remedy"])


def _lost(run: RunDir) -> dict[str, Any]:
    remedy = f"`ftctl resume {run.path.name}` goes on from its last checkpoint"
    if not run.path.is_dir():
        remedy = "run the job again"
        message = f"the run's folder {run.path} was removed"
    elif supervisor(run) is None:
        message = "the run was never started: what made it died before"
    else:
        message = f"the run's supervisor died (see {run.path / 'node.log'})"
    return {"state": "LOST", "exit_code": 1, "message": message, "remedy": remedy}
