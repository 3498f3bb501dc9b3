"""Follow a run from any shell: its events as they come, until it has ended."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ftctl.events import Event, parse
from ftctl.run.control import request_stop, stop
from ftctl.run.directory import EVENTS, EXIT, RunDir, Tail
from ftctl.run.state import state_of

POLL = 0.1  # seconds


@dataclass(frozen=True)
class Ending:
    """How a run ended, as its exit record says; a run whose node died has state LOST and exit code 1."""

    state: str
    exit_code: int
    message: str
    remedy: str


def follow(
    path: Path, show: Callable[[Event], None], say: Callable[[str], None], *, since: int = 0
) -> Ending:
    """Show every event of a run until it ends, those before the byte `since` left out.

    Ctrl-C asks it to stop, a second one ends it at once.
    """
    run, tail, asked = RunDir(path), Tail(path / EVENTS, since), False
    while True:
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
            ended = _ending(run)
            for line in tail.lines():
                event = parse(line)
                if event is not None:
                    show(event)
            if ended is not None:
                return ended
            time.sleep(POLL)
        except KeyboardInterrupt:
            if asked:
                say("ending it at once")
                stop(path, now=True)
                continue
            asked = True
            say("stopping: the engine saves a checkpoint first; Ctrl-C again ends it at once")
            request_stop(path)


def _ending(run: RunDir) -> Ending | None:
    """The end, if it has come. It is read before the events, so that none of them is missed."""
    record = run.read_json(EXIT)
    if record is None and state_of(run.path).state == "LOST":
        record = run.read_json(EXIT) or {
            "state": "LOST",
            "exit_code": 1,
            "message": f"the run's supervisor died (see {run.path / 'node.log'})",
            "remedy": f"`ftctl resume {run.path.name}` goes on from its last checkpoint",
        }
    if record is None:
        return None
    return Ending(record["state"], record["exit_code"], record["message"], record["remedy"])
