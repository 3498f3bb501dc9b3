"""The keeper of one deployment: it starts the server, watches it, and starts it again where that may help.

Everything that it must know after a `kill -9` stands in the deployment's folder, so that the keeper that
follows it goes on where it was: a server that lives is taken over as it is, what is left of one is ended.
"""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import time
from dataclasses import replace
from types import FrameType
from typing import Any, NoReturn

from ftctl.deployments import store
from ftctl.deployments.attach import bring_back
from ftctl.deployments.kept import Kept, kept_of, write_kept
from ftctl.deployments.launch import Launch, launch_of, server_environment
from ftctl.deployments.ready import ServerFailed, death_of_running, wait_ready
from ftctl.deployments.stop import GRACE, drained
from ftctl.deployments.store import Entry
from ftctl.errors import FtctlError
from ftctl.keep.decide import Decision, decide, recent
from ftctl.keep.lease import lease_of, leased
from ftctl.keep.pulse import Pulse
from ftctl.keep.stand_by import start_standby
from ftctl.process import (
    NOBODY,
    Child,
    alive,
    boot_id,
    identify,
    own_session,
    start_recorded,
    stop_session,
)
from ftctl.servers import server

POLL = 0.2  # seconds between two looks at the server's process
HUNG = 2.0  # seconds that a server that hangs or is not ready has to end itself
WATCHED = ("running", "unhealthy")


class Asked(Exception):
    """The keeper is to end: the deployment was stopped, or the keeper got SIGTERM."""


def keep(name: str) -> None:
    """Keep the deployment of that name until it is stopped or given up. The caller holds its lock."""
    signal.signal(signal.SIGTERM, _terminated)
    entry, before = store.find(name), kept_of(store.folder_of(name))
    launch = None if entry is None else launch_of(entry.folder)
    if entry is None or launch is None or (before is not None and before.state == "ended"):
        return
    keeper = Keeper(entry, launch, before)
    try:
        keeper.work()
    except Asked:
        keeper.end()
    except OSError:  # a full disk: what cannot be recorded is not kept, and who waits for it is to see that
        if keeper.entry.ready is None:
            stop_session(keeper.kept.process, grace=0.0)
        raise
    finally:
        keeper.dismiss_standby()


def _terminated(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Asked


class Keeper:
    """One deployment in hand. `kept` is what the next keeper would find on the disk."""

    def __init__(self, entry: Entry, launch: Launch, before: Kept | None) -> None:
        me = identify(os.getpid()) or NOBODY
        self.entry, self.launch, self.before = entry, launch, before
        self.kept = Kept(me) if before is None else replace(before, keeper=me, standby=NOBODY)
        self.server = server(entry.deployment.engine)
        self.child: Child | None = None
        self.standby: subprocess.Popen[bytes] | None = None
        self.lease = lease_of(launch)
        self.read = 0  # when deployment.json was last changed, in nanoseconds

    def work(self) -> None:
        """Keep the server up; returns when it is given up. Raises Asked."""
        self._record()
        failed = self._take_over()
        while failed is None or self._again(failed):
            failed = self._serve()

    def end(self) -> None:
        """End the server. Who stops the deployment does it too, and in the way that was asked for."""
        self._reread()
        process = self.kept.process
        if self.entry.ended is None:
            drained(self.entry)
            stop_session(process, grace=GRACE)
            self._record(state="ended")
            store.note(self.entry, {"state": "stopped", "detail": "its keeper was asked to end"})
            return
        deadline = time.monotonic() + GRACE
        while own_session(process) and time.monotonic() < deadline:
            time.sleep(POLL / 10)
        stop_session(process, grace=0.0)

    def dismiss_standby(self) -> None:
        """A keeper that ends as it should is not followed by another."""
        if self.standby is not None:
            self.standby.kill()
            self.standby.wait()

    def _take_over(self) -> ServerFailed | None:
        """Go on where the last keeper was; what is left of a server that is dead is ended."""
        before = self.before
        if before is None or before.process.boot != boot_id():
            return None
        store.note(self.entry, {"state": "kept", "detail": "its keeper was killed; another has taken over"})
        if alive(before.process):
            self.child = Child(before.process)
            return None
        stop_session(before.process, grace=0.0)
        if before.state == "restarting":
            return None
        return ServerFailed(f"{self.entry.name}: {self.server.TITLE} ended, and so did its keeper")

    def _serve(self) -> ServerFailed:
        """Have the server serve until it fails; nothing of it is left then."""
        try:
            child = self.child or self._start()
            self._have_standby()
            if self.kept.state not in WATCHED:
                self._make_ready(child)
            self._watch(child)
        except ServerFailed as failed:
            # What outlives a server that has ended, such as vLLM's EngineCore, has nothing to finish.
            stop_session(self.kept.process, grace=HUNG if alive(self.kept.process) else 0.0)
            self.child = None
            return failed

    def _start(self) -> Child:
        """Start the server; it begins once it is recorded, so that none is ever lost."""
        self._pause(0.0)
        self.lease = leased(self.launch, self.lease, self.entry.name)
        folder, log = self.entry.folder, self.entry.folder / store.LOG
        log.touch()
        size = log.stat().st_size
        state = "starting" if self.entry.ready is None else "restarting"
        self.child = start_recorded(
            self.launch.argv,
            cwd=folder,
            env=server_environment(self.launch, store.key_of(self.entry), os.environ),
            log=log,
            record=lambda process: self._record(process=process, logged=size, began=time.time(), state=state),
            keep=self.lease.files,
        )
        self.lease.name(f"deployment {self.entry.name}", self.child.process.pid)
        return self.child

    def _make_ready(self, child: Child) -> None:
        """Wait until it answers, and the first time until who deployed it has found it to be as trained."""
        wait_ready(
            self.entry,
            self.server,
            end=child.end,
            key=store.key_of(self.entry),
            timeout=self.launch.ready_timeout,
            report=self._report,
            since=self.kept.logged,
            pause=self._pause,
        )
        if self.entry.ready is None:
            self._record(state="answering")
        else:
            self._bring_adapters_back()
        while self.entry.ready is None:
            self._pause(POLL / 4)
            self._check(child)
        if self.kept.restarts and self.kept.state == "restarting":
            self._say("running", "it answers again", url=self.entry.deployment.url)
        self._record(state="running", detail="")

    def _bring_adapters_back(self) -> None:
        """What was attached to the server before it was started again; one that it refuses keeps no other
        from being asked for."""
        try:
            bring_back(self.entry)
        except (FtctlError, OSError, http.client.HTTPException) as error:
            self._say("running", f"adapters are missing: {error}")

    def _watch(self, child: Child) -> NoReturn:
        """Look after a server that is ready; raises ServerFailed when it ends or hangs."""
        pulse = Pulse(self.entry, store.key_of(self.entry), self.launch.pace)
        while True:
            self._check(child)
            if pulse.due:
                pulse.look()
                self._tell(pulse)
                if pulse.hung:
                    self._check(child)
                    silent = f"has given no sign of life for {pulse.silent:.0f} s: {pulse.trouble}"
                    raise ServerFailed(f"{self.entry.name}: {self.server.TITLE} {silent}")
            self._pause(POLL)

    def _check(self, child: Child) -> None:
        if how := child.end():
            self._pause(0.0)  # an end that was asked for is no failure
            raise death_of_running(how, self.entry, self.server, self.kept.logged)

    def _tell(self, pulse: Pulse) -> None:
        state = "unhealthy" if pulse.trouble else "running"
        if state != self.kept.state:
            self._record(state=state, detail=pulse.trouble)
            self._say(state, pulse.trouble or "it answers again")

    def _again(self, failed: ServerFailed) -> bool:
        """Whether the server is to be started again, after a while; else the deployment is given up."""
        now, launch = time.time(), launch_of(self.entry.folder) or self.launch
        failures = (*recent(self.kept.failures, now), now)
        decision = Decision(False)
        if self.entry.ready is not None:
            decision = decide(
                launch.restart,
                launch.max_restarts,
                failures,
                may_pass=failed.may_pass,
                clean=failed.clean,
                first=launch.pace.first,
            )
        if not decision.again:
            self._give_up(failed, decision)
            return False
        self._record(
            state="restarting", detail=failed.message, failures=failures, restarts=self.kept.restarts + 1
        )
        often = f"{decision.used} of {launch.max_restarts}"
        detail = f"{failed.message}; starting it again in {decision.wait:g} s ({often})"
        self._say("restarting", detail, wait=decision.wait, used=decision.used, allowed=launch.max_restarts)
        self._have_standby()
        deadline = time.monotonic() + decision.wait
        while (left := deadline - time.monotonic()) > 0:
            self._pause(min(POLL, left))
        return True

    def _give_up(self, failed: ServerFailed, decision: Decision) -> None:
        reason = f"; not started again: {decision.reason}" if decision.reason else ""
        why = "" if failed.clean and decision.reason else f"{failed.message}{reason}"
        self._say("failed" if why else "stopped", f"{failed.message}{reason}", remedy=failed.remedy)
        self.entry = store.change(self.entry, ended=time.time(), why=why, remedy=failed.remedy)
        self._record(detail=failed.message)

    def _report(self, detail: str, elapsed: float) -> None:
        state = "starting" if self.entry.ready is None else "restarting"
        store.note(self.entry, {"state": state, "detail": detail, "elapsed": round(elapsed, 1)})

    def _say(self, state: str, detail: str, **more: Any) -> None:
        """An event, and a line in the log where who reads the server's words will look for it."""
        with open(self.entry.folder / store.LOG, "a", encoding="utf-8") as log:
            log.write(f"[ftctl] {time.strftime('%m-%d %H:%M:%S')} {state}: {detail}\n")
        store.note(self.entry, {"state": state, "detail": detail, **more})

    def _record(self, **changes: Any) -> None:
        self.kept = replace(self.kept, **changes)
        write_kept(self.entry.folder, self.kept)

    def _pause(self, seconds: float) -> None:
        """Wait; raises Asked where the deployment has been stopped meanwhile, ServerFailed where nobody is
        left to find a server ready that never was."""
        time.sleep(seconds)
        waited_for = alive(self.launch.creator)
        self._reread()
        if self.entry.ended is not None:
            raise Asked
        if self.entry.ready is None and not waited_for:
            raise ServerFailed(f"{self.entry.name} was not ready when who started it was ended")
        if self.standby is not None and self.standby.poll() is not None:
            self._have_standby()

    def _reread(self) -> None:
        """Take note of what others recorded: ready, and stopped."""
        changed = (self.entry.folder / store.RECORD).stat().st_mtime_ns
        if changed != self.read:
            self.entry, self.read = store.find(self.entry.name) or self.entry, changed

    def _have_standby(self) -> None:
        """Have somebody wait to follow this keeper, and hold the lease too."""
        if self.standby is None or self.standby.poll() is not None:
            self.standby, process = start_standby(self.entry.name, self.lease.files)
            self._record(standby=process)
