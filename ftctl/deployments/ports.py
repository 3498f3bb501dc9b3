"""Ports on this machine: a free one, and who holds one that is not."""

from __future__ import annotations

import errno
import os
import random
import socket
from collections.abc import Container
from pathlib import Path

from ftctl.errors import Missing

# Below the range that Linux hands out to outgoing connections, so that none takes the port in between.
FIRST, LAST = 18000, 28000
LISTEN = "0A"


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now. Raises Missing where the host is not of this machine."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except PermissionError:
            raise Missing(f"port {port} may not be used by this user", "take one above 1023") from None
        except socket.gaierror:
            raise Missing(f"{host} is no address", "deploy.host is usually 127.0.0.1") from None
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise Missing(
                    f"{host} is no address of this machine", "deploy.host is usually 127.0.0.1"
                ) from None
            return False
    return True


def free_port(host: str, taken: Container[int]) -> int:
    """A port that nobody listens on and that is not in `taken`."""
    for port in random.sample(range(FIRST, LAST), 200):
        if port not in taken and is_free(host, port):
            return port
    raise Missing(f"no free port between {FIRST} and {LAST} on {host}", "set deploy.port")


def reachable(host: str) -> str:
    """The address to ask a server at that listens on `host`."""
    local = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"[{local}]" if ":" in local and not local.startswith("[") else local


def holder(port: int) -> str | None:
    """The process that listens on `port`, as `name (pid 12)`; None where this user cannot see it."""
    sockets = {f"socket:[{inode}]" for inode in _listening(port)}
    if not sockets:
        return None
    for entry in os.listdir("/proc"):
        if entry.isdigit() and _holds(int(entry), sockets):
            return f"{_name(int(entry))} (pid {entry})"
    return None


def _listening(port: int) -> list[str]:
    """The inodes of the sockets that listen on `port` (proc(5): /proc/net/tcp)."""
    inodes = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        lines = Path(table).read_text().splitlines()[1:] if Path(table).exists() else []
        for fields in (line.split() for line in lines):
            if fields[3] == LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.append(fields[9])
    return inodes


def _holds(pid: int, sockets: set[str]) -> bool:
    folder = f"/proc/{pid}/fd"
    try:
        return any(str(Path(folder, name).readlink()) in sockets for name in os.listdir(folder))
    except OSError:
        return False


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "a process"
