"""`ftctl _guard RUN PID STARTED`: ends what a node that was killed leaves behind, and may start another.

It is the node's child in a session of its own, and its standard input is a pipe that only the node can write
to: when the node is gone, however it went, the pipe is closed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from ftctl.leases.hold import held_here
from ftctl.process import ProcessId, identify, start_guard, stop_session
from ftctl.record import from_record
from ftctl.run.directory import EXIT, GUARD, RunDir
from ftctl.run.state import guard, supervisor

WORD = "_guard"
GRACE = 30.0  # seconds for an engine that saves a checkpoint when it is asked to end


def stand_guard(run: RunDir, node: ProcessId, *, restarts: bool) -> subprocess.Popen[bytes]:
    """Start the guard of this process, the run's node. It ends soon after this process has.

    One that `restarts` the run holds the GPUs too, so that they are there for the next node, and is on record
    (GUARD): as long as it lives, a run without its node is not lost.
    """
    names = (str(run.path), str(node.pid), str(node.started))
    command = (sys.executable, "-P", "-m", "ftctl", WORD, *names)
    keep = held_here().files if restarts else ()
    child = start_guard(command, cwd=run.path, env=os.environ, log=run.path / "node.log", keep=keep)
    run.remove(GUARD)
    if restarts:
        run.write_json(GUARD, identify(child.pid))
    return child


def main(argv: list[str]) -> int:
    """Wait for the node's end. One that left no exit record was killed: end its engine and its server, then
    start another where the job allows it."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    run, pid, started = RunDir(Path(argv[0])), int(argv[1]), int(argv[2])
    engine, node = engine_of(run), supervisor(run)
    # Read in this order: where the node is still the last one, the engine was its engine.
    if run.read_json(EXIT) is None and node is not None and (node.pid, node.started) == (pid, started):
        if engine is not None:
            stop_session(engine, grace=GRACE)
        end_server(run.path)
        if guard(run) == identify(os.getpid()):
            from ftctl.supervise.revive import revive  # most guards need nothing of it, and live for hours

            revive(run)
    return 0


def engine_of(run: RunDir) -> ProcessId | None:
    """The engine's process that the run started last; its session may still live when it does not."""
    record = run.read_json("engine.json")
    return None if record is None else from_record(ProcessId, record)


def end_server(run: Path, *, ready: bool = False) -> None:
    """End a server that the run was starting: nobody is left to see whether it answers. With `ready` also
    one that answers: the run is to start it anew."""
    from ftctl.deployments import store
    from ftctl.deployments.stop import stop

    for entry in store.entries():
        if entry.deployment.run == str(run) and entry.ended is None and (ready or entry.ready is None):
            stop(entry, now=True)
