"""What a keeper has in hand: the deployment as it is recorded, who stands by, and the word to end."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ftctl.deployments import store
from ftctl.deployments.kept import Kept, write_kept
from ftctl.deployments.launch import Launch, launch_of
from ftctl.deployments.ready import ServerFailed
from ftctl.deployments.store import Entry
from ftctl.keep.front import Front, end_all
from ftctl.keep.lease import lease_of
from ftctl.keep.stand_by import start_standby
from ftctl.process import NOBODY, alive, identify

POLL = 0.05  # seconds between two looks at what a waiting server is told


class Asked(Exception):
    """The keeper is to end: the deployment was stopped, or the keeper got SIGTERM."""


class Holding:
    """One deployment in hand. `kept` is what the next keeper would find on the disk."""

    def __init__(self, entry: Entry, launch: Launch, before: Kept | None) -> None:
        me = identify(os.getpid()) or NOBODY
        self.entry, self.launch = entry, launch
        self.kept = Kept(me) if before is None else replace(before, keeper=me, standby=NOBODY)
        self.front = Front() if entry.deployment.members else None
        self.standby: subprocess.Popen[bytes] | None = None
        self.lease = lease_of(launch)
        self.read = (
            0,
            0,
        )  # the deployment.json that was read: when it was changed, in nanoseconds, and its file

    def report(self, detail: str, elapsed: float) -> None:
        """An event: how far the start of the server has come."""
        state = "starting" if self.entry.ready is None else "restarting"
        store.note(self.entry, {"state": state, "detail": detail, "elapsed": round(elapsed, 1)})

    def say(self, state: str, detail: str, **more: Any) -> None:
        """An event, and a line in the log where who reads the server's words will look for it."""
        with open(self.entry.folder / store.LOG, "a", encoding="utf-8") as log:
            log.write(f"[ftctl] {time.strftime('%m-%d %H:%M:%S')} {state}: {detail}\n")
        store.note(self.entry, {"state": state, "detail": detail, **more})

    def record(self, **changes: Any) -> None:
        """Change what the next keeper, and everyone else, is told."""
        self.kept = replace(self.kept, **changes)
        write_kept(self.entry.folder, self.kept)

    def pause(self, seconds: float) -> None:
        """Wait; raises Asked where the deployment has been stopped meanwhile, ServerFailed where nobody is
        left to find a server ready that never was."""
        time.sleep(seconds)
        waited_for = alive(self.launch.creator)
        self.reread()
        if self.entry.ended is not None:
            raise Asked
        if self.entry.ready is None and not waited_for:
            raise ServerFailed(f"{self.entry.name} was not ready when who started it was ended")
        if self.standby is not None and self.standby.poll() is not None:
            self.have_standby()
        if self.front is not None:
            self.front.look(self.entry)

    def told(self, over: Callable[[], object]) -> None:
        """Wait until the server's interpreter, which imports its engine, has been told what to serve, or
        is `over`. Raises as `pause` does."""
        if not self.launch.waits:
            return
        while self.launch.waits and not over():
            self.pause(POLL)
            self.launch = launch_of(self.entry.folder) or self.launch
        self.reread()

    def reread(self) -> None:
        """Take note of what others recorded: ready, and stopped."""
        found = (self.entry.folder / store.RECORD).stat()
        changed = (found.st_mtime_ns, found.st_ino)
        if changed != self.read:
            self.entry, self.read = store.find(self.entry.name) or self.entry, changed

    def have_standby(self) -> None:
        """Have somebody wait to follow this keeper, and hold the lease too."""
        if self.standby is None or self.standby.poll() is not None:
            self.standby, process = start_standby(self.entry.name, self.lease.files)
            self.record(standby=process)

    def is_back(self) -> bool:
        """Whether it is a proxy that was started again: others keep its servers, nothing is waited for."""
        if self.front is None or self.entry.ready is None:
            return False
        self.record(state="running", detail="")
        self.say("running", "it is back", url=self.entry.deployment.url)
        return True

    def end_behind(self) -> None:
        """End what stands behind a proxy that is no longer kept."""
        if self.front is not None:
            self.reread()
            end_all(self.entry)

    def dismiss_standby(self) -> None:
        """A keeper that ends as it should is not followed by another."""
        if self.standby is not None:
            self.standby.kill()
            self.standby.wait()
