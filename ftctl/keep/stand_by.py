"""`ftctl _keep NAME`: keep one deployment, once nobody else does.

A keeper starts a second one that waits here until the kernel gives it the lock of the first, however that
ended. It imports little while it waits.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ftctl.deployments.kept import keeping
from ftctl.paths import deployments_dir
from ftctl.process import ProcessId, start, start_detached

WORD, OUTPUT = "_keep", "keeper.log"


def start_keeper(name: str, files: Sequence[int] = ()) -> ProcessId:
    """Start a keeper in a session of its own, which outlives this process.

    It holds the lease of which `files` are the open ones.
    """
    folder = deployments_dir() / name
    return start_detached(_command(name), cwd=folder, env=os.environ, log=folder / OUTPUT, keep=files)


def start_standby(name: str, files: Sequence[int]) -> tuple[subprocess.Popen[bytes], ProcessId]:
    """`start_keeper` for the keeper itself, which looks after the one that is to follow it."""
    folder = deployments_dir() / name
    return start(_command(name), cwd=folder, env=os.environ, log=folder / OUTPUT, keep=files)


def _command(name: str) -> tuple[str, ...]:
    return (sys.executable, "-P", "-m", "ftctl", WORD, name)


def main(argv: list[str]) -> int:
    """Wait for the lock of the deployment, then keep it to its end."""
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    folder: Path = deployments_dir() / argv[0]
    with keeping(folder) as mine:
        if not mine:
            return 0
        from ftctl.keep.keeper import keep

        keep(argv[0])
    return 0
