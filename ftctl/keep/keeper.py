"""The keeper of one deployment: it starts the server, watches it, and starts it again where that may help.

Everything that it must know after a `kill -9` stands in the deployment's folder, so that the keeper that
follows it goes on where it was: a server that lives is taken over as it is, what is left of one is ended.
"""

from __future__ import annotations

import http.client
import os
import signal
import time
from types import FrameType
from typing import NoReturn

from ftctl.deployments import store
from ftctl.deployments.attach import bring_back
from ftctl.deployments.kept import Kept, kept_of
from ftctl.deployments.launch import Launch, launch_of, server_environment
from ftctl.deployments.ready import ServerFailed, death_of_running, wait_ready
from ftctl.deployments.stop import GRACE, drained
from ftctl.deployments.store import Entry
from ftctl.errors import FtctlError
from ftctl.keep.decide import Decision, decide, recent
from ftctl.keep.holding import Asked, Holding
from ftctl.keep.lease import leased
from ftctl.keep.pulse import Pulse
from ftctl.process import Child, alive, boot_id, own_session, start_recorded, stop_session
from ftctl.servers import Program, haproxy, server

POLL = 0.2  # seconds between two looks at the server's process
WATCHED = ("running", "unhealthy")


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
        keeper.hold.end_behind()
    except Asked:
        keeper.end()
        keeper.hold.end_behind()
    except OSError:  # a full disk: what cannot be recorded is not kept, and who waits for it is to see that
        if keeper.hold.entry.ready is None:
            stop_session(keeper.hold.kept.process, grace=0.0)
        raise
    finally:
        keeper.hold.dismiss_standby()


def _terminated(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Asked


class Keeper:
    """Has one server serve, again and again."""

    def __init__(self, entry: Entry, launch: Launch, before: Kept | None) -> None:
        self.hold, self.before = Holding(entry, launch, before), before
        self.server: Program = haproxy if self.hold.front else server(entry.deployment.engine)
        self.child: Child | None = None

    def work(self) -> None:
        """Keep the server up; returns when it is given up. Raises Asked."""
        self.hold.record()
        failed = self._take_over()
        while failed is None or self._again(failed):
            failed = self._serve()

    def end(self) -> None:
        """End the server. Who stops the deployment does it too, and in the way that was asked for."""
        hold = self.hold
        hold.reread()
        process = hold.kept.process
        if hold.entry.ended is None:
            drained(hold.entry)
            stop_session(process, grace=GRACE)
            hold.record(state="ended")
            store.note(hold.entry, {"state": "stopped", "detail": "its keeper was asked to end"})
            return
        deadline = time.monotonic() + GRACE
        while own_session(process) and time.monotonic() < deadline:
            time.sleep(POLL / 10)
        stop_session(process, grace=0.0)

    def _take_over(self) -> ServerFailed | None:
        """Go on where the last keeper was; what is left of a server that is dead is ended."""
        before = self.before
        if before is None or before.process.boot != boot_id():
            return None
        store.note(
            self.hold.entry, {"state": "kept", "detail": "its keeper was killed; another has taken over"}
        )
        if alive(before.process):
            self.child = Child(before.process)
            return None
        stop_session(before.process, grace=0.0)
        if before.state == "restarting":
            return None
        return ServerFailed(f"{self.hold.entry.name}: {self.server.TITLE} ended, and so did its keeper")

    def _serve(self) -> ServerFailed:
        """Have the server serve until it fails; nothing of it is left then."""
        hold = self.hold
        try:
            child = self.child or self._start()
            hold.have_standby()
            if hold.kept.state not in WATCHED:
                self._make_ready(child)
            self._watch(child)
        except ServerFailed as failed:
            # What outlives a server that has ended, such as vLLM's EngineCore, has nothing to finish.
            grace = hold.launch.pace.grace if alive(hold.kept.process) else 0.0
            stop_session(hold.kept.process, grace=grace)
            self.child = None
            return failed

    def _start(self) -> Child:
        """Start the server; it begins once it is recorded, so that none is ever lost."""
        hold = self.hold
        hold.pause(0.0)
        hold.lease = leased(hold.launch, hold.lease, hold.entry.name)
        if hold.front is not None:
            hold.front.prepare(hold.entry)
        folder, log = hold.entry.folder, hold.entry.folder / store.LOG
        log.touch()
        size = log.stat().st_size
        state = "starting" if hold.entry.ready is None else "restarting"
        self.child = start_recorded(
            hold.launch.argv,
            cwd=folder,
            env=server_environment(hold.launch, store.key_of(hold.entry), os.environ),
            log=log,
            record=lambda process: hold.record(process=process, logged=size, began=time.time(), state=state),
            keep=hold.lease.files,
        )
        hold.lease.name(f"deployment {hold.entry.name}", self.child.process.pid)
        return self.child

    def _make_ready(self, child: Child) -> None:
        """Wait until it answers, and the first time until who deployed it has found it to be as trained."""
        hold = self.hold
        if hold.is_back():
            return
        hold.told(child.end)
        wait_ready(
            hold.entry,
            self.server,
            end=child.end,
            key=store.key_of(hold.entry),
            timeout=hold.launch.ready_timeout,
            report=hold.report,
            since=hold.kept.logged,
            pause=hold.pause,
        )
        if hold.entry.ready is None:
            hold.record(state="answering")
        else:
            self._bring_adapters_back()
        while hold.entry.ready is None:
            hold.pause(POLL / 4)
            self._check(child)
        if hold.kept.restarts and hold.kept.state == "restarting":
            hold.say("running", "it answers again", url=hold.entry.deployment.url)
        hold.record(state="running", detail="")

    def _bring_adapters_back(self) -> None:
        """What was attached to the server before it was started again; one that it refuses keeps no other
        from being asked for."""
        try:
            bring_back(self.hold.entry)
        except (FtctlError, OSError, http.client.HTTPException) as error:
            self.hold.say("running", f"adapters are missing: {error}")

    def _watch(self, child: Child) -> NoReturn:
        """Look after a server that is ready; raises ServerFailed when it ends or hangs."""
        hold = self.hold
        pulse = Pulse(hold.entry, store.key_of(hold.entry), hold.launch.pace)
        while True:
            self._check(child)
            if pulse.due:
                pulse.look()
                self._tell(pulse)
                if pulse.hung:
                    self._check(child)
                    silent = f"has given no sign of life for {pulse.silent:.0f} s: {pulse.trouble}"
                    raise ServerFailed(f"{hold.entry.name}: {self.server.TITLE} {silent}")
            hold.pause(POLL)

    def _check(self, child: Child) -> None:
        hold = self.hold
        if how := child.end():
            hold.pause(0.0)  # an end that was asked for is no failure
            raise death_of_running(how, hold.entry, self.server, hold.kept.logged)

    def _tell(self, pulse: Pulse) -> None:
        hold = self.hold
        state = "unhealthy" if pulse.trouble else "running"
        if state != hold.kept.state:
            hold.record(state=state, detail=pulse.trouble)
            hold.say(state, pulse.trouble or "it answers again")

    def _again(self, failed: ServerFailed) -> bool:
        """Whether the server is to be started again, after a while; else the deployment is given up.

        Raises Asked where its end was meant.
        """
        hold = self.hold
        hold.reread()
        if hold.entry.ended is not None:  # who stops it records so before the server is ended
            raise Asked
        now, launch = time.time(), launch_of(hold.entry.folder) or hold.launch
        failures = (*recent(hold.kept.failures, now), now)
        decision = Decision(False)
        if hold.entry.ready is not None:
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
        hold.record(
            state="restarting", detail=failed.message, failures=failures, restarts=hold.kept.restarts + 1
        )
        often = f"{decision.used} of {launch.max_restarts}"
        detail = f"{failed.message}; starting it again in {decision.wait:g} s ({often})"
        hold.say("restarting", detail, wait=decision.wait, used=decision.used, allowed=launch.max_restarts)
        hold.have_standby()
        deadline = time.monotonic() + decision.wait
        while (left := deadline - time.monotonic()) > 0:
            hold.pause(min(POLL, left))
        return True

    def _give_up(self, failed: ServerFailed, decision: Decision) -> None:
        hold = self.hold
        reason = f"; not started again: {decision.reason}" if decision.reason else ""
        why = "" if failed.clean and decision.reason else f"{failed.message}{reason}"
        hold.say("failed" if why else "stopped", f"{failed.message}{reason}", remedy=failed.remedy)
        hold.entry = store.change(hold.entry, ended=time.time(), why=why, remedy=failed.remedy)
        hold.record(detail=failed.message)
