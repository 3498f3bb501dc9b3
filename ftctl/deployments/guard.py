"""`ftctl _guard_server PID STARTED`: ends what a server leaves that ended by itself or was killed.

It waits in a session of its own for the server's end. vLLM 0.32.0's engine and workers outlive an API server
that is killed, with all their memory on the GPUs.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from ftctl.process import ProcessId, boot_id, start_detached, stop_session, wait_for_end

WORD = "_guard_server"
GRACE = 10.0  # seconds for what is left to end by itself


def stand_server_guard(server: ProcessId, folder: Path) -> None:
    """Start the guard of a server; it ends soon after the server has."""
    command = (sys.executable, "-P", "-m", "ftctl", WORD, str(server.pid), str(server.started))
    start_detached(command, cwd=folder, env=os.environ, log=Path(os.devnull))


def main(argv: list[str]) -> int:
    """Wait for the server's end, then end every process of its session that is left."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    server = ProcessId(int(argv[0]), int(argv[1]), boot_id())
    wait_for_end(server)
    stop_session(server, grace=GRACE)
    return 0
