"""HAProxy at work: where it is installed, what it is started from, and what it is told while it runs."""

from __future__ import annotations

import csv
import os
import resource
import shutil
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ftctl.deployments.model import Deployment
from ftctl.errors import FtctlError, Missing
from ftctl.servers.haproxy import BACKEND, CERTIFICATE, CONFIG, NOWHERE, SOCKET, config

PLACES = "/usr/local/sbin:/usr/sbin:/sbin"  # not on every user's PATH, and there Debian puts it
MOST = 4000  # connections at once
OTHERS = 200  # open files that HAProxy needs besides two for each connection
TIMEOUT = 2.0  # seconds for an answer of the admin socket


@dataclass(frozen=True)
class Slot:
    """A place for a server in HAProxy: its name, the server's port, its status (UP, DOWN, DRAIN or MAINT) and
    how many requests the server has in hand."""

    name: str
    port: int
    status: str
    in_hand: int


def program(environ: Mapping[str, str] = os.environ, places: str = PLACES) -> str:
    """Where HAProxy is. Raises Missing where it is not installed."""
    found = shutil.which("haproxy", path=f"{environ.get('PATH', '')}:{places}")
    if found is None:
        raise Missing(
            "deploy.proxy and deploy.replicas need HAProxy, and there is none",
            "sudo apt-get install haproxy (2.2 or later), or leave proxy and replicas away",
        )
    return found


def command(environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """How HAProxy is started in its deployment's folder: one process, in the foreground."""
    return (program(environ), "-db", "-f", CONFIG)


def write_config(deployment: Deployment, ports: Sequence[int]) -> None:
    """Write what HAProxy starts from, readable by its owner alone."""
    folder = Path(deployment.folder)
    _, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    connections = MOST if limit == resource.RLIM_INFINITY else min(MOST, (limit - OTHERS) // 2)
    text = config(
        deployment.binds, ports, connections=max(connections, 50), tls=(folder / CERTIFICATE).is_file()
    )
    temporary = folder / f".{CONFIG}.{os.getpid()}"
    temporary.touch(mode=0o600)
    temporary.write_text(text)
    temporary.replace(folder / CONFIG)


def write_certificate(folder: Path, tls: Mapping[str, Path]) -> None:
    """The certificate and its key in one file, as HAProxy reads them, for its owner alone."""
    handle = os.open(folder / CERTIFICATE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(tls["certificate"].read_text().rstrip() + "\n" + tls["key"].read_text())


def port_of(deployment: Deployment) -> int:
    """The port that a server behind the proxy listens on."""
    return urlsplit(deployment.url).port or 0


def ask(folder: Path, *commands: str) -> str:
    """What HAProxy answers on its admin socket. Raises OSError where it does not."""
    with _connected(folder) as admin:
        admin.sendall(("; ".join(commands) + "\n").encode())
        pieces = []
        while piece := admin.recv(65536):
            pieces.append(piece)
    return b"".join(pieces).decode("utf-8", "replace")


@contextmanager
def _connected(folder: Path) -> Iterator[socket.socket]:
    """A connection to the admin socket. Its path may be longer than unix(7) allows, 108 bytes."""
    here = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX) as admin:
            admin.settimeout(TIMEOUT)
            admin.connect(f"/proc/self/fd/{here}/{SOCKET}")
            yield admin
    finally:
        os.close(here)


def trouble(folder: Path) -> str:
    """What is wrong with HAProxy itself; empty where it answers on its admin socket."""
    try:
        return "" if "Pid:" in ask(folder, "show info") else "its admin socket gives no information"
    except OSError as error:
        return f"its admin socket does not answer: {error}"


def slots(folder: Path) -> tuple[Slot, ...]:
    """Every place for a server, as HAProxy has it now. Raises OSError where it does not answer."""
    rows = csv.DictReader(ask(folder, "show stat").removeprefix("# ").splitlines())
    return tuple(
        Slot(
            row["svname"], int(row["addr"].rpartition(":")[2]), row["status"].split(" ")[0], int(row["scur"])
        )
        for row in rows
        if row["pxname"] == BACKEND and row["svname"] != "BACKEND"
    )


def steer(folder: Path, serving: Sequence[int], leaving: Sequence[int] = ()) -> dict[int, int]:
    """Have HAProxy ask the servers at the ports `serving`, and no longer those at `leaving`; what is in hand
    there is finished. The requests in hand at each port that is left; empty until one of `serving` is up.

    To say the same again changes nothing. Raises OSError where HAProxy does not answer, FtctlError where it
    has no place for so many.
    """
    now = slots(folder)
    _tell(folder, _changes(now, serving, ("DRAIN", "MAINT"), "ready") + _placed(now, serving, leaving))
    now = slots(folder)
    if not any(slot.port in serving and slot.status == "UP" for slot in now):
        return {}
    _tell(folder, _changes(now, leaving, ("UP", "DOWN"), "drain"))
    wanted = {*serving, *leaving, NOWHERE}
    others = [slot.port for slot in now if slot.port not in wanted]
    _tell(folder, _changes(now, others, ("UP", "DOWN", "DRAIN"), "maint"))
    return dict.fromkeys(leaving, 0) | {
        slot.port: slot.in_hand for slot in slots(folder) if slot.port in leaving
    }


def _tell(folder: Path, changes: Sequence[str]) -> None:
    if changes:
        ask(folder, *changes)


def _changes(now: Sequence[Slot], ports: Sequence[int], statuses: Sequence[str], state: str) -> list[str]:
    """The commands by which the servers at `ports` of one of these statuses get the state."""
    return [
        f"set server {BACKEND}/{slot.name} state {state}"
        for slot in now
        if slot.port in ports and slot.status in statuses
    ]


def _placed(now: Sequence[Slot], serving: Sequence[int], leaving: Sequence[int]) -> list[str]:
    """The commands by which servers that have no slot yet get one that no other needs."""
    known = {slot.port for slot in now}
    free = [slot for slot in now if slot.port not in {*serving, *leaving}]
    new = [port for port in serving if port not in known]
    if len(new) > len(free):
        raise FtctlError(f"HAProxy has no place for {len(new)} more servers", "take fewer deploy.replicas")
    return [
        f"set server {BACKEND}/{slot.name} {what}"
        for port, slot in zip(new, free, strict=False)
        for what in (f"addr 127.0.0.1 port {port}", "state ready")
    ]
