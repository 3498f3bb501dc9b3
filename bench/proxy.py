"""What the proxy in front of a deployment costs: throughput and latency with it and without, in one run.

.venv/bin/python -m bench.proxy
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.measure import PYTHON, ROOT, machine, write
from ftctl.deployments.ports import free_port, is_free
from ftctl.deployments.proxy import command
from ftctl.servers.haproxy import CONFIG, config

HOST = "127.0.0.1"
ROUNDS, REQUESTS, AT_ONCE = 9, 1200, 8
SERVICE = {"at once": 0.0, "after 20 ms": 0.02}  # seconds until the stub answers
BODY = b'{"model": "stub", "prompt": "Hello", "max_tokens": 1}'
REQUEST = (
    b"POST /v1/completions HTTP/1.1\r\nHost: stub\r\nAuthorization: Bearer key\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
)


@dataclass(frozen=True)
class Round:
    """One load: requests a second, and the latency in milliseconds that half and 99 % stay under."""

    rate: float
    half: float
    most: float


def main() -> None:
    began_on = machine()
    tables: list[str] = []
    for name, seconds in SERVICE.items():
        direct, proxied = compared(seconds)
        tables += [f"## A server that answers {name}", "", *table(direct, proxied), ""]
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
                    done = asyncio.run(load(port))
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


async def load(port: int) -> Round:
    """Send the requests, so many at once."""
    began = time.perf_counter()
    each = await asyncio.gather(*(client(port, REQUESTS // AT_ONCE) for _ in range(AT_ONCE)))
    wall = time.perf_counter() - began
    taken = sorted(1000 * seconds for one in each for seconds in one)
    return Round(len(taken) / wall, statistics.median(taken), taken[int(0.99 * len(taken))])


async def client(port: int, count: int) -> list[float]:
    """The seconds that each of `count` requests on one connection took."""
    reader, writer = await asyncio.open_connection(HOST, port)
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        writer.write(REQUEST)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"a request was answered {head!r}")
        await reader.readexactly(int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]))
        taken.append(time.perf_counter() - began)
    writer.close()
    return taken


def table(direct: Sequence[Round], proxied: Sequence[Round]) -> list[str]:
    names = {
        "requests a second": [(one.rate, two.rate) for one, two in zip(direct, proxied, strict=True)],
        "median latency, ms": [(one.half, two.half) for one, two in zip(direct, proxied, strict=True)],
        "99 % under, ms": [(one.most, two.most) for one, two in zip(direct, proxied, strict=True)],
    }
    rows = ["| | without | with HAProxy | ratio |", "|---|---|---|---|"]
    for name, pairs in names.items():
        without, within = [one for one, _ in pairs], [two for _, two in pairs]
        ratios = [two / one for one, two in pairs]
        rows.append(f"| {name} | {told(without)} | {told(within)} | {told(ratios)} |")
    return rows


def told(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.3g} ({min(values):.3g} to {max(values):.3g})"


if __name__ == "__main__":
    main()
