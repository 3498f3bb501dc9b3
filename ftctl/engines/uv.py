"""Running uv: its environment, its progress line by line, and its failures in plain words."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from ftctl import process
from ftctl.errors import FtctlError

# What would point uv at another environment, or keep byte code from being written.
UNSET = ("VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE")
EMPTY: Mapping[str, str] = MappingProxyType({})
POLL = 0.1  # seconds between two looks at uv's log

CAUSES = (
    (
        "No space left on device",
        "the disk is full",
        "free some space (`ftctl doctor` says where) and try again",
    ),
    ("Hash mismatch", "a package is not the one that was locked", "try again without mirrors, or lock anew"),
    (
        "network was disabled",
        "uv is offline and a package is not in its cache",
        "try again without UV_OFFLINE, once",
    ),
    (
        "whl/cpu",
        "torch's CPU wheel could not be fetched from PyTorch's own index",
        "check the network or the proxy, or name a folder that holds that wheel in UV_FIND_LINKS",
    ),
    (
        "error sending request|Failed to fetch|dns error|Connect",
        "a package could not be fetched",
        "check the network or the proxy and try again; what was fetched is kept in uv's cache",
    ),
    (
        "current platform",
        "a package of the lock is not made for this machine",
        "the locks are for Linux on x86-64; elsewhere set FTCTL_<ENGINE>_PYTHON to one of your own",
    ),
    (
        "No interpreter found",
        "Python 3.11 was not found and could not be fetched",
        "install Python 3.11, or let uv download it (`uv python install 3.11`)",
    ),
)


def uv_bin() -> str:
    """The uv program that came with ftctl."""
    from uv import find_uv_bin

    return find_uv_bin()


def find_links(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Folders (or pages) of wheels: uv's own variable first, separated by commas, then pip's, by blanks."""
    ours = re.split(r"[,\s]+", environ.get("UV_FIND_LINKS", ""))
    return tuple(dict.fromkeys(link for link in [*ours, *environ.get("PIP_FIND_LINKS", "").split()] if link))


def has_wheel(links: Sequence[str], package: str, version: str) -> bool:
    """Whether one of the local folders holds a wheel of exactly this version."""
    return any(_wheels(link, package, f"{version}-") for link in links)


def without_rivals(links: Sequence[str], packages: Mapping[str, str]) -> tuple[str, ...]:
    """The links, less folders that hold another build of a locked package.

    uv takes `torch-2.13.0+cpu` for `torch==2.13.0` and then fails on its hash (seen in uv 0.13.8).
    """
    plain = [(name, f"{version}+") for name, version in packages.items() if "+" not in version]
    return tuple(link for link in links if not any(_wheels(link, *rival) for rival in plain))


def _wheels(link: str, package: str, start: str) -> bool:
    """Whether a local folder has a wheel of the package whose version starts so."""
    folder, stem = Path(link), f"{package.replace('-', '_')}-{start}"
    return folder.is_dir() and any(folder.glob(f"{stem}*.whl"))


def uv_environment(environ: Mapping[str, str], packages: Mapping[str, str] = EMPTY) -> dict[str, str]:
    """The environment uv runs in: the user's settings, pip's too, less what would lead it astray.

    `packages` are those of the lock that is to be installed.
    """
    env = {name: value for name, value in environ.items() if name not in {*UNSET, "UV_FIND_LINKS"}}
    links = without_rivals(find_links(environ), packages)
    if links:
        env["UV_FIND_LINKS"] = ",".join(links)
    mirror = environ.get("PIP_INDEX_URL")
    if mirror and not any(name in environ for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL")):
        env["UV_DEFAULT_INDEX"] = mirror
    return env


def run_uv(
    arguments: Sequence[str],
    *,
    env: Mapping[str, str],
    folder: Path,
    started: Callable[[process.ProcessId], None],
    tick: Callable[[str], None],
) -> None:
    """Run uv in `folder` to its end. `tick` is given its last line, several times a second.

    Raises FtctlError with uv's last lines; whatever ends the wait, uv is ended too.
    """
    log = folder / "uv.log"
    size = log.stat().st_size if log.exists() else 0
    child, leader = process.start([uv_bin(), *arguments], cwd=folder, env=env, log=log)
    started(leader)
    try:
        while child.poll() is None:
            tick(_last_line(_from(log, size)))
            time.sleep(POLL)
    finally:
        if child.poll() is None:
            process.stop_session(leader, grace=2)
            child.wait()
    if child.returncode != 0:
        raise failure(_from(log, size))


def failure(output: str) -> FtctlError:
    """What went wrong, from uv's output."""
    lines = [line.rstrip() for line in output.splitlines() if line.strip()][-6:]
    tail = "\n".join(f"    {line}" for line in lines)
    for pattern, what, remedy in CAUSES:
        if re.search(pattern, output):
            return FtctlError(f"{what}; uv said:\n{tail}", remedy)
    return FtctlError(f"uv could not do it; it said:\n{tail}", "put that right and try again")


def _from(log: Path, offset: int) -> str:
    with open(log, "rb") as stream:
        stream.seek(offset, os.SEEK_SET)
        return stream.read().decode(errors="replace")


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else ""
