"""The deployments' folders: what was started, its key, and the state it is truly in."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ftctl.deployments import client
from ftctl.deployments.kept import is_kept, kept_of
from ftctl.deployments.model import Deployment, Parity
from ftctl.errors import Missing, UsageError
from ftctl.events import Event
from ftctl.paths import deployments_dir
from ftctl.process import NOBODY, ProcessId, age, alive
from ftctl.record import from_record, to_record
from ftctl.servers.haproxy import CERTIFICATE

RECORD, KEY, LOG, EVENTS = "deployment.json", "key", "server.log", "events.jsonl"
CA = "ca.pem"  # what clients trust, of one that serves HTTPS
OWNER = "owner"  # beside the key: what changes the server asks for this too (inside/vllm_guard.py)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
SERVING = frozenset({"running", "unsupervised"})
LIVE = SERVING | {"starting", "unhealthy", "restarting"}


@dataclass(frozen=True)
class Entry:
    """A deployment as recorded. `ready` and `ended` are seconds since the epoch; `ended` is an end that was
    meant, or, with `why`, the end of one that is given up. `creator` is who began it."""

    deployment: Deployment
    ready: float | None = None
    ended: float | None = None
    why: str = ""
    remedy: str = ""
    creator: ProcessId = NOBODY

    @property
    def name(self) -> str:
        return self.deployment.name

    @property
    def folder(self) -> Path:
        return Path(self.deployment.folder)


def folder_of(name: str) -> Path:
    """Where the deployment of that name is kept. Raises UsageError for a name that cannot be one."""
    if not NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot name a deployment", "letters, digits, dots, dashes; 64 at most")
    return deployments_dir() / name


def write(entry: Entry) -> None:
    """Record a deployment, whole or not at all."""
    text = json.dumps({"format": 1, **to_record(entry)}, indent=1, ensure_ascii=False)
    temporary = entry.folder / f".{RECORD}.{os.getpid()}"
    temporary.write_text(text + "\n")
    temporary.replace(entry.folder / RECORD)


def change(
    entry: Entry,
    *,
    ready: float | None = None,
    ended: float | None = None,
    why: str | None = None,
    remedy: str | None = None,
) -> Entry:
    """The entry with what is not None brought up to date, recorded over what others recorded meanwhile."""
    told = {"ready": ready, "ended": ended, "why": why, "remedy": remedy}
    return amend(entry, lambda now: replace(now, **{k: v for k, v in told.items() if v is not None}))  # type: ignore[arg-type]


def begun_again(entry: Entry) -> Entry:
    """The entry without an end, recorded: it is to be started again as it was."""
    return amend(entry, lambda now: replace(now, ended=None, why="", remedy=""))


def compared(entry: Entry, parity: Parity) -> Entry:
    """The entry with how close its answers are to the training engine's, recorded."""
    return amend(entry, lambda now: replace(now, deployment=replace(now.deployment, parity=parity)))


def attached(entry: Entry, adapters: Mapping[str, str]) -> Entry:
    """The entry with the adapters that its server has now, recorded."""
    return amend(entry, lambda now: replace(now, deployment=replace(now.deployment, adapters=dict(adapters))))


def amend(entry: Entry, how: Callable[[Entry], Entry]) -> Entry:
    """Record a change to what stands there now: its keeper and other commands change it too."""
    with open(entry.folder / ".record.lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        changed = how(find(entry.name) or entry)
        write(changed)
    return changed


@contextlib.contextmanager
def claimed(name: str) -> Iterator[None]:
    """Hold a name while its deployment is begun or changed, so that of two at once one sees the other."""
    folder = folder_of(name)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.parent / f".{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def write_key(folder: Path, key: str) -> None:
    """Keep the key, and the owner's secret beside it, where only their owner reads them."""
    for name, secret in ((KEY, key), (OWNER, secrets.token_urlsafe(32))):
        handle = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secret + "\n")


def key_of(entry: Entry) -> str:
    """The deployment's key. Raises UsageError where it has been stopped and has none."""
    try:
        return (entry.folder / KEY).read_text().strip()
    except FileNotFoundError:
        raise UsageError(f"{entry.name} has been stopped and has no key", begin_again(entry)) from None


def begin_again(entry: Entry) -> str:
    """The way to start one that has ended, with what it served."""
    served = entry.deployment.run or entry.deployment.artifact
    return f"ftctl deploy {served} --name {entry.name} starts it again, with the options that it had"


def not_serving(entry: Entry, state: str) -> Missing:
    """What to raise of a deployment that has to serve, and is in a state in which it does not."""
    why = entry.why.removeprefix(f"{entry.name}: ").partition("\n")[0] if state == "failed" else ""
    told = f"{entry.name} is {state}" + f": {why}" * bool(why)
    if state == "stopped":
        return Missing(told, begin_again(entry))
    return Missing(told, entry.remedy or f"ftctl logs {entry.name} shows why; ftctl ps what runs")


def owner_secret(entry: Entry) -> str:
    """What the server's changes ask for beside the key; empty where the deployment has none."""
    path = entry.folder / OWNER
    return path.read_text().strip() if path.is_file() else ""


def forget_key(entry: Entry) -> None:
    """Take away its secrets, the proxy's copy of the certificate's private key among them."""
    for name in (KEY, OWNER, CERTIFICATE):
        (entry.folder / name).unlink(missing_ok=True)


def find(name: str) -> Entry | None:
    """The deployment of that name, live or not; a record that cannot be read counts as none."""
    folder = folder_of(name)
    try:
        entry = from_record(Entry, json.loads((folder / RECORD).read_text()))
    except (OSError, ValueError, TypeError):
        return None
    kept = kept_of(folder)
    if kept is None:
        return entry
    return replace(entry, deployment=replace(entry.deployment, process=kept.process))


def get(name: str) -> Entry:
    """The deployment of that name. Raises UsageError where there is none, naming those that there are."""
    found = find(name)
    if found is None:
        names = ", ".join(entry.name for entry in entries()) or "none"
        raise UsageError(f"there is no deployment called {name}", f"the deployments here: {names}")
    return found


def entries() -> Iterator[Entry]:
    """Every deployment that was ever recorded here and not replaced, by name."""
    try:
        names = sorted(os.listdir(deployments_dir()))
    except FileNotFoundError:
        return
    for name in names:
        if NAME.fullmatch(name) and (found := find(name)) is not None:
            yield found


def state(entry: Entry, healthy: Callable[[str], bool] = client.healthy) -> str:
    """What a deployment is, from its processes, its /health and who keeps it.

    starting, running, unhealthy (it does not answer), restarting, unsupervised (it answers and nobody would
    start it again), failed (given up), stopped, or dead: ended without being asked to, and nobody keeps it.
    """
    if not alive(entry.deployment.process):
        return _state_without_server(entry)
    if entry.ready is None:
        return "starting"  # it may answer, and is not yet known to answer as it was trained
    if healthy(entry.deployment.url):
        return "running" if is_kept(entry.folder) else "unsupervised"
    kept = kept_of(entry.folder)
    return "restarting" if kept is not None and kept.state == "restarting" else "unhealthy"


def _state_without_server(entry: Entry) -> str:
    if entry.ended is not None:
        return "failed" if entry.why else "stopped"
    if is_kept(entry.folder):
        return "starting" if entry.ready is None else "restarting"
    if entry.ready is None and alive(entry.creator):
        return "starting"
    kept = kept_of(entry.folder)
    return "stopped" if kept is not None and kept.state == "ended" else "dead"


def lives(entry: Entry) -> bool:
    """Whether it serves or is about to, without asking it."""
    return alive(entry.deployment.process) or is_kept(entry.folder)


def note(entry: Entry, data: Mapping[str, Any]) -> None:
    """Record an event of the deployment."""
    with open(entry.folder / EVENTS, "a") as events:
        events.write(Event("deployment", time.time(), {"name": entry.name, **data}).line() + "\n")


def uptime(entry: Entry) -> float:
    """Seconds since its process was started; where that is not known, since it was recorded."""
    process = entry.deployment.process
    return age(process) if process.started else max(0.0, time.time() - entry.deployment.created)
