"""What the keeper of a proxy does besides keeping HAProxy up: it has the recorded servers asked, lets those
that were replaced finish, and ends what belongs to nobody."""

from __future__ import annotations

import signal
import time

from ftctl.deployments import fronts, proxy, store
from ftctl.deployments.kept import kept_of
from ftctl.deployments.stop import stop
from ftctl.deployments.store import Entry
from ftctl.errors import FtctlError
from ftctl.process import alive, signal_process

EVERY = 0.2  # seconds between two looks while servers are leaving
SELDOM = 5.0  # seconds between two looks otherwise
LONGEST = 300.0  # seconds that a server that is leaving has for what it has in hand


class Front:
    """The servers behind one proxy. `leaving` is since when each has been asked nothing new."""

    def __init__(self) -> None:
        self.next = self.strays = 0.0
        self.seen: tuple[str, ...] = ()
        self.leaving: dict[str, float] = {}

    def prepare(self, entry: Entry) -> None:
        """Write what HAProxy starts from: what had been in hand with servers that leave is lost by then."""
        proxy.write_config(entry.deployment, _ports(entry.deployment.members))

    def look(self, entry: Entry) -> None:
        """Bring HAProxy and the servers to what is recorded, where it is time for that."""
        deployment, now = entry.deployment, time.monotonic()
        changed = (*deployment.members, "", *deployment.retiring) != self.seen
        if now < self.next and not changed:
            return
        self.seen = (*deployment.members, "", *deployment.retiring)
        try:
            in_hand = proxy.steer(entry.folder, _ports(deployment.members), _ports(deployment.retiring))
        except (OSError, KeyError, ValueError, FtctlError):  # it has ended, or has yet to begin
            in_hand = {}
        for name in deployment.retiring:
            self._leave(entry, name, in_hand)
        if deployment.retiring and all(map(_over, deployment.members)):
            _take_back(entry)
        if now >= self.strays:
            self._end_strays(entry)
        self.next = time.monotonic() + (EVERY if deployment.retiring else SELDOM)

    def _leave(self, entry: Entry, name: str, in_hand: dict[int, int]) -> None:
        """End a server that has nothing in hand any more, or has had long enough."""
        member = store.find(name)
        if member is None or _over(name):
            fronts.retired(entry, name)
            return
        port = proxy.port_of(member.deployment)
        if port not in in_hand:  # none of those that took over is up yet
            return
        waited = time.monotonic() - self.leaving.setdefault(name, time.monotonic())
        if in_hand[port] and waited < LONGEST:
            return
        stop(member)
        fronts.retired(entry, name)
        store.note(entry, {"state": "running", "detail": f"{name} has left after {waited:.1f} s"})

    def _end_strays(self, entry: Entry) -> None:
        """End servers that were ready to take over when who started them was killed."""
        self.strays = time.monotonic() + SELDOM
        known = {*entry.deployment.members, *entry.deployment.retiring}
        for member in fronts.behind(entry.name):
            lost = member.ready is not None and not alive(member.creator)
            if member.name not in known and lost and store.lives(member):
                now = store.find(entry.name)
                if now is not None and member.name not in (*now.deployment.members, *now.deployment.retiring):
                    stop(member, now=True, why=f"who replaced {entry.name} by it was killed")


def end_all(entry: Entry) -> None:
    """End the servers behind a proxy that has ended: for good where it was stopped or given up, else as it
    was, so that they come back with it."""
    for member in fronts.behind(entry.name):
        if entry.ended is not None:
            if store.lives(member):
                stop(member, now=True)
        elif (kept := kept_of(member.folder)) is not None:
            signal_process(kept.keeper, signal.SIGTERM)


def _take_back(entry: Entry) -> None:
    """Let the servers that were to leave serve on: those that took over have failed for good."""
    deployment = entry.deployment
    old = store.find(deployment.retiring[0])
    back = [name for name in deployment.retiring if not _over(name)]
    if old is not None and back:
        fronts.taken_over(entry, back, old.deployment, ())
        told = f"{', '.join(back)} again: {', '.join(deployment.members)} failed"
        store.note(entry, {"state": "running", "detail": told})


def _over(name: str) -> bool:
    """Whether a server was stopped or given up."""
    member = store.find(name)
    return member is None or member.ended is not None


def _ports(names: tuple[str, ...]) -> list[int]:
    return [proxy.port_of(member.deployment) for member in map(store.find, names) if member is not None]
