"""`ftctl deploy TARGET --replace NAME`: other servers behind an address that goes on answering.

Until the new servers are recorded behind the proxy they end with this process, and the old ones know nothing
of them. From then on it is the proxy's keeper that has the new ones asked and lets the old ones finish, so
that a replacement that was begun is ended, whatever becomes of this process.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from ftctl.artifacts.model import Artifact
from ftctl.deployments import client, fronts, proxy, store
from ftctl.deployments.begin import Emit
from ftctl.deployments.behind import Lend, clear, ready, start_members
from ftctl.deployments.canary import check_canary, prompts_of
from ftctl.deployments.model import Deployment
from ftctl.deployments.start import Behind
from ftctl.deployments.store import Entry
from ftctl.errors import FtctlError, Interrupted, UsageError
from ftctl.job.model import Deploy
from ftctl.keep.again import keep_again

LOCK = "replace.lock"
POLL = 0.05  # seconds
# Looks at one of the new servers once all are ready, as trained and answer the canary, and before any takes
# over. Raises FtctlError, GateNotMet where a verdict is against it: then the old ones serve on.
Gate = Callable[[Entry], None]


def open_gate(entry: Entry) -> None:
    """The gate of a deployment that has none."""


def check_replaceable(name: str) -> Entry:
    """The deployment of that name. Raises UsageError where its servers cannot be replaced, Missing where it
    is in no state for that."""
    front = store.get(name)
    deployment = front.deployment
    if deployment.behind is not None:
        raise UsageError(
            f"{name} is a server behind {deployment.behind}", f"ftctl deploy … --replace {deployment.behind}"
        )
    if (state := store.state(front)) not in store.LIVE - {"starting"}:
        raise store.not_serving(front, state)
    if not deployment.members:
        raise UsageError(
            f"{name} has its address itself, so that nothing can take over from it",
            f"stop it and deploy it with deploy.proxy: true (--set proxy=true --name {name})",
        )
    return front


def replace_servers(
    name: str,
    artifact: Artifact,
    deploy: Deploy,
    *,
    lend: Lend,
    emit: Emit,
    gate: Gate = open_gate,
    **facts: Any,
) -> Deployment:
    """Put new servers behind the address of the deployment `name` and return once the old ones have left.

    The address, its certificate and its key stay as they are; the rest of `deploy` holds for the new ones,
    and `facts` are the rest of what `start` takes. Raises as `start` and `gate` do, and FtctlError where the
    new servers do not pass: then the old ones serve on.
    """
    front = check_replaceable(name)
    proxy.program()
    prompts, key = prompts_of(deploy.canary), store.key_of(front)

    def trial(entry: Entry) -> None:
        if entry.deployment.kind != front.deployment.kind:
            kinds = f"{entry.deployment.kind}, not {front.deployment.kind}"
            raise FtctlError(f"{entry.name} serves another kind of model ({kinds})", "give it its own name")
        _tell(entry, f"asking the canary's {len(prompts)} prompts", emit)
        check_canary(entry.deployment, key, prompts)

    with _alone(front):
        clear(name)
        with _untouched(front), ExitStack() as ended_unless_taken_over:
            members = start_members(
                artifact,
                deploy,
                Behind(name, key, trial),
                lend=lend,
                emit=emit,
                ended=ended_unless_taken_over,
                **facts,
            )
            gate(store.get(members[0].name))
            _check_up(members)
            front = _switch(name, members)
            ended_unless_taken_over.pop_all()
        _tell(front, f"{', '.join(front.deployment.members)} took over; the old ones finish", emit)
        return _settled(front)


def _check_up(members: tuple[Deployment, ...]) -> None:
    """Raises FtctlError where a new server has ended since it was checked: others and the gate took time."""
    for entry in (store.get(member.name) for member in members):
        if entry.ended is not None or not client.healthy(entry.deployment.url):
            why = entry.why or f"see {entry.folder / store.LOG}"
            raise FtctlError(f"{entry.name} had passed and then ended: {why}", entry.remedy)


def _switch(name: str, members: tuple[Deployment, ...]) -> Entry:
    """Record the new servers behind the proxy; what was there is retiring from now on."""
    front = check_replaceable(name)
    ready(members)
    names = [member.name for member in members]
    old = (*front.deployment.retiring, *front.deployment.members)
    front = fronts.taken_over(front, names, members[0], old)
    if front.ended is not None:
        raise FtctlError(f"{name} was stopped meanwhile", store.begin_again(front))
    store.note(front, {"state": "running", "detail": f"{', '.join(names)} for {', '.join(old)}"})
    return front


def _settled(front: Entry) -> Deployment:
    """Wait until the old servers have left. Raises FtctlError where the new ones failed and the old ones
    are back, or nobody is left to end this."""
    wanted = front.deployment.members
    try:
        while (now := store.get(front.name)).deployment.retiring and now.ended is None:
            keep_again(now)
            time.sleep(POLL)
    except KeyboardInterrupt:
        raise Interrupted(
            f"{front.name}: the new servers have the address; the old ones finish and end by themselves"
        ) from None
    if now.ended is not None:
        raise FtctlError(f"{front.name} was stopped while its old servers finished", store.begin_again(front))
    if now.deployment.members != wanted:
        raise FtctlError(
            f"the new servers of {front.name} failed as they took over, and the old ones are back",
            f"ftctl logs {wanted[0]} shows why",
        )
    return now.deployment


@contextmanager
def _alone(front: Entry) -> Iterator[None]:
    """Be the only one that replaces its servers. Raises UsageError where another does."""
    with open(front.folder / LOCK, "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"{front.name} is being replaced already", "wait for it to end") from None
        yield


@contextmanager
def _untouched(front: Entry) -> Iterator[None]:
    """Say of a failure that it left the old servers alone."""
    try:
        yield
    except Interrupted as error:
        raise Interrupted(f"{error.message}; {front.name} serves on as before") from None
    except FtctlError as error:
        error.message = f"{error.message} ({front.name} serves on as before)"
        raise


def _tell(entry: Entry, detail: str, emit: Emit) -> None:
    elapsed = round(time.time() - entry.deployment.created, 1)
    emit("deployment", {"name": entry.name, "state": "starting", "detail": detail, "elapsed": elapsed})
