"""Time until a server is ready: `ftctl deploy` against the same command line started by hand.

.venv/bin/python -m bench.deploy_ready [ROUNDS]
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.demo_job import MODEL, write_job
from bench.measure import FTCTL, environment, machine, once, write
from ftctl.deployments import client, store
from ftctl.deployments.launch import launch_of, server_environment
from ftctl.deployments.ports import free_port
from ftctl.paths import engines_dir
from ftctl.process import NOBODY, ProcessId, session_members, start, stop_session

NAME, HOST, KEY = "ready", "127.0.0.1", "a-key-of-the-benchmark"
BLOCK = ("dtype=float32", "max_length=512", "kv_cache_memory=64MiB", "max_concurrency=8")
LIMIT = 2.0  # seconds
POLL = 0.05


@dataclass(frozen=True)
class Ready:
    """Seconds until a completion was answered, and CPU seconds until then: of the server, and of ftctl."""

    wall: float
    server: float
    own: float = 0.0
    port: int = 0
    process: ProcessId = NOBODY


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 4
    began_on = machine()
    ours: list[Ready] = []
    theirs: list[Ready] = []
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["FTCTL_ENGINES"] = str(engines_dir())
        os.environ["FTCTL_HOME"] = str(Path(scratch, "home"))
        write_job(Path(scratch))
        for number in range(rounds + 1):
            with deployed() as one:
                launched = store.get(NAME).folder
                with by_hand(launched, Path(scratch, f"hand-{number}")) as other:
                    pass
            if number:  # the first round warms the caches and is thrown away
                ours.append(one)
                theirs.append(other)
    write("deploy-ready", "Time until a server is ready", table(ours, theirs), began_on=began_on)


@contextmanager
def deployed() -> Iterator[Ready]:
    """A server that `ftctl deploy` has started; stopped again before the block is entered."""
    words = [word for item in BLOCK for word in ("--set", item)]
    sample = once([FTCTL, "deploy", str(MODEL), "--name", NAME, *words])
    if sample.code:
        raise SystemExit(f"ftctl deploy ended with {sample.code}: see {os.environ['FTCTL_HOME']}")
    used = cpu_seconds(store.get(NAME).deployment.process)
    once([FTCTL, "stop", NAME])
    yield Ready(sample.wall, used, sample.cpu)


@contextmanager
def by_hand(launched: Path, folder: Path, *, plain: bool = False) -> Iterator[Ready]:
    """The same command line in the same environment, on another port, asked until it answers; a `plain` one
    has vLLM's own key in place of ftctl's middleware."""
    launch = launch_of(launched)
    if launch is None:
        raise SystemExit(f"{launched} has no launch record")
    folder.mkdir()
    port = free_port(HOST, ())
    argv = list(launch.argv)
    argv[argv.index("--port") + 1] = str(port)
    if plain:
        at = argv.index("--middleware")
        del argv[at : at + 2]
    env = server_environment(launch, KEY, environment())
    began = time.perf_counter()
    _, process = start(argv, cwd=folder, env=env, log=folder / "server.log")
    try:
        wait_answering(f"http://{HOST}:{port}", folder / "server.log", process)
        yield Ready(time.perf_counter() - began, cpu_seconds(process), port=port, process=process)
    finally:
        stop_session(process, grace=5.0)


def wait_answering(url: str, log: Path, process: ProcessId) -> None:
    """Return once the server has completed something."""
    while not client.healthy(url):
        if not session_members(process.pid):
            raise SystemExit(f"the server ended: {log.read_text()[-2000:]}")
        time.sleep(POLL)
    client.compute_once(url, KEY, NAME, "generate")


def cpu_seconds(process: ProcessId) -> float:
    """User and system time of a session's processes so far (proc(5), fields 14 and 15)."""
    ticks = 0
    for pid in session_members(process.pid):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def table(ours: Sequence[Ready], theirs: Sequence[Ready]) -> list[str]:
    more = [one.wall - other.wall for one, other in zip(ours, theirs, strict=True)]
    typical = statistics.median(more)
    rows: Mapping[str, Sequence[Ready]] = {"`ftctl deploy`": ours, "the same command by hand": theirs}
    return [
        "A tiny model served by vLLM on the CPU, from the command's start until the server has answered a",
        f"completion; medians with the lowest and highest of {len(ours)} rounds each, in turn, after one",
        "thrown away. By hand is the command line of the deployment's launch.json in the same environment.",
        "CPU is user and system time of the server's processes by then, and of `ftctl deploy` itself.",
        "",
        "| | wall (s) | CPU of the server (s) | CPU of ftctl (s) |",
        "|---|---|---|---|",
        *(
            f"| {name} | {told([one.wall for one in samples])} | {told([one.server for one in samples])} | "
            f"{told([one.own for one in samples])} |"
            for name, samples in rows.items()
        ),
        "",
        f"`ftctl deploy` takes {typical:+.2f} s longer ({min(more):+.2f} to {max(more):+.2f}); the limit is "
        f"{LIMIT:g} s: **{'within' if typical <= LIMIT else 'OVER'}**.",
        "",
        "Made by `.venv/bin/python -m bench.deploy_ready`.",
    ]


def told(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


if __name__ == "__main__":
    main()
