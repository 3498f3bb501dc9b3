"""Stop a deployment: its server's whole session, also where its leader is already gone, and its keeper."""

from __future__ import annotations

import errno
import signal
import time
from dataclasses import replace

from ftctl.deployments.fronts import behind
from ftctl.deployments.kept import is_kept, kept_of
from ftctl.deployments.launch import launch_of, write_launch
from ftctl.deployments.metrics import count
from ftctl.deployments.store import Entry, change, find, forget_key, lives
from ftctl.keep import reboot
from ftctl.process import NOBODY, ProcessId, alive, signal_process, stop_session

GRACE = 10.0  # seconds; vLLM takes 1.5 to 3.3 when idle
DRAIN = 30.0  # seconds for the requests that are being answered
POLL = 0.02  # seconds


def stop(
    entry: Entry,
    *,
    now: bool = False,
    grace: float = GRACE,
    drain: float = DRAIN,
    why: str = "",
    remedy: str = "",
) -> None:
    """End every process of the deployment; none is left when this returns. The log stays readable.

    Requests in hand get `drain` seconds, then the server `grace` to end itself; with `now` it is killed at
    once. `why` makes it a failure, with its `remedy`.
    """
    if not now:
        drained(entry, drain)
    try:
        # Recorded first: nobody starts it again, and who waits for it sees that its end was meant.
        recorded = _ended(entry, why, remedy)
        reboot.remove(entry.name)
        stop_session((find(entry.name) or entry).deployment.process, grace=0.0 if now else grace)
    finally:  # whatever could not be recorded, nothing of it is left
        if entry.deployment.members:
            _stop_behind(entry.name, now=now, grace=grace)
        _dismiss(entry)
        last = find(entry.name) or entry  # the keeper may have started one in between
        stop_session(last.deployment.process, grace=0.0)
    forget_key(entry)
    if not recorded:
        _record_end(entry, why, remedy)


def _ended(entry: Entry, why: str, remedy: str) -> bool:
    """Record the end; false where the disk is full: that of the keys, which go last, is room for it."""
    try:
        _record_end(entry, why, remedy)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        return False
    return True


def _record_end(entry: Entry, why: str, remedy: str) -> None:
    change(entry, ended=time.time(), why=why, remedy=remedy)


def _stop_behind(front: str, *, now: bool, grace: float) -> None:
    """End the servers behind a proxy that is gone: nothing is in hand there."""
    for member in behind(front):
        if lives(member):
            stop(member, now=now, grace=grace, drain=0.0)


def leave_alone(entry: Entry) -> None:
    """Let it serve on, and start it again no more: neither when it ends nor after a reboot."""
    launch = launch_of(entry.folder)
    if launch is not None:
        write_launch(entry.folder, replace(launch, restart="never"))
    reboot.remove(entry.name)
    for member in behind(entry.name):
        leave_alone(member)


def drained(entry: Entry, seconds: float = DRAIN) -> None:
    """Wait until the server has answered what it is being asked, for so long at most."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and alive(entry.deployment.process) and _in_hand(entry):
        time.sleep(POLL)


def _dismiss(entry: Entry) -> None:
    """End whoever keeps it; a keeper that is deaf is killed."""
    deadline, asked = time.monotonic() + GRACE, NOBODY
    while (keeper := _keeper(entry)) is not None:
        if time.monotonic() >= deadline:
            signal_process(keeper, signal.SIGKILL)
        elif keeper != asked:
            signal_process(keeper, signal.SIGTERM)
            asked = keeper
        time.sleep(POLL)


def _keeper(entry: Entry) -> ProcessId | None:
    """Who keeps it, until that process has ended; NOBODY where one has yet to say its name."""
    kept = kept_of(entry.folder)
    keeper = NOBODY if kept is None else kept.keeper
    return keeper if alive(keeper) or is_kept(entry.folder) else None


def _in_hand(entry: Entry) -> bool:
    """Whether the server is answering requests; one that does not say so is not."""
    load = count(entry)
    return load is not None and load.running + load.waiting > 0
