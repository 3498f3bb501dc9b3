"""What the proxy in front of a deployment costs: throughput and latency with it and without, in one run.

.venv/bin/python -m bench.proxy
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.load import HOST, Round, load, request, table
from bench.measure import PYTHON, ROOT, machine, write
from ftctl.deployments.ports import free_port, is_free
from ftctl.deployments.proxy import command
from ftctl.servers.haproxy import CONFIG, config

ROUNDS, REQUESTS, AT_ONCE = 9, 1200, 8
SERVICE = {"at once": 0.0, "after 20 ms": 0.02}  # seconds until the stub answers
REQUEST = request("/v1/completions", "key", {"model": "stub", "prompt": "Hello", "max_tokens": 1})


def main() -> None:
    began_on = machine()
    tables: list[str] = []
    for name, seconds in SERVICE.items():
        direct, proxied = compared(seconds)
        tables += [
            f"## A server that answers {name}",
            "",
            *table(direct, proxied, ("without", "with HAProxy")),
            "",
        ]
    body = [
        f"{AT_ONCE} clients keep their connections and send {REQUESTS} requests in all to a stub server",
        "(asyncio, one process), by themselves and through HAProxy as `ftctl deploy` configures it; the two",
        f"in turns, {ROUNDS} times after one that is thrown away. Each figure is the median with the lowest",
        "and highest; a ratio is that of two neighbours. Client, stub and HAProxy share the machine's cores.",
        "",
        *tables,
        "A language model's shortest answer takes about as long as the second server's.",
        "",
        "Made by `.venv/bin/python -m bench.proxy`.",
    ]
    write("proxy", "What the proxy in front of a deployment costs", body, began_on=began_on)


def compared(seconds: float) -> tuple[list[Round], list[Round]]:
    """The rounds without and with the proxy."""
    backend = free_port(HOST, ())
    front = free_port(HOST, (backend,))
    stub = (PYTHON, "-m", "bench.stub_server", str(backend), str(seconds))
    direct: list[Round] = []
    proxied: list[Round] = []
    with tempfile.TemporaryDirectory() as scratch:
        text = config(f"{HOST}:{front}", [backend], connections=400, tls=False)
        Path(scratch, CONFIG).write_text(text)
        with running(stub, ROOT, backend), running(command(), Path(scratch), front):
            for number in range(ROUNDS + 1):
                for port, rounds in ((backend, direct), (front, proxied)):
                    done = load(port, REQUEST, count=REQUESTS, at_once=AT_ONCE)
                    rounds.extend([done] if number else [])
    return direct, proxied


@contextmanager
def running(argv: Sequence[str], cwd: Path, port: int) -> Iterator[None]:
    """A process that listens on `port` while the block runs."""
    with subprocess.Popen(argv, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        try:
            while is_free(HOST, port):
                if child.poll() is not None:
                    raise SystemExit(f"{argv[0]} ended with {child.returncode}")
                time.sleep(0.05)
            yield
        finally:
            child.terminate()


if __name__ == "__main__":
    main()
