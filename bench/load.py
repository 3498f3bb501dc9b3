"""A load of requests on kept connections, and what came of it: the same for every server that is measured."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Round:
    """One load: requests a second, the latency in milliseconds that half and 99 % stay under, and each."""

    rate: float
    half: float
    most: float
    each: tuple[float, ...] = ()


def request(path: str, key: str, body: Mapping[str, Any]) -> bytes:
    """An HTTP request as it is sent."""
    text = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: server\r\nAuthorization: Bearer {key}\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n".encode() + text


def load(port: int, asked: bytes, *, count: int, at_once: int) -> Round:
    """Send the request `count` times, so many at once."""
    return asyncio.run(_load(port, asked, count, at_once))


async def _load(port: int, asked: bytes, count: int, at_once: int) -> Round:
    began = time.perf_counter()
    each = await asyncio.gather(*(_client(port, asked, count // at_once) for _ in range(at_once)))
    wall = time.perf_counter() - began
    taken = sorted(1000 * seconds for one in each for seconds in one)
    return Round(len(taken) / wall, statistics.median(taken), percentile(taken, 0.99), tuple(taken))


async def _client(port: int, asked: bytes, count: int) -> list[float]:
    """The seconds that each of `count` requests on one connection took."""
    reader, writer = await asyncio.open_connection(HOST, port)
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        writer.write(asked)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"a request was answered {head!r}")
        await reader.readexactly(int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]))
        taken.append(time.perf_counter() - began)
    writer.close()
    return taken


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of them stays under."""
    return sorted(values)[int(share * len(values))]


def table(ones: Sequence[Round], others: Sequence[Round], names: tuple[str, str]) -> list[str]:
    """Two kinds of rounds beside each other; a ratio is the second's to the first's of two neighbours."""
    pairs = list(zip(ones, others, strict=True))
    figures = {
        "requests a second": [(one.rate, two.rate) for one, two in pairs],
        "median latency, ms": [(one.half, two.half) for one, two in pairs],
        "99 % under, ms": [(one.most, two.most) for one, two in pairs],
    }
    rows = [f"| | {names[0]} | {names[1]} | ratio |", "|---|---|---|---|"]
    for name, both in figures.items():
        first, second = [one for one, _ in both], [two for _, two in both]
        ratios = [two / one for one, two in both]
        rows.append(f"| {name} | {told(first)} | {told(second)} | {told(ratios)} |")
    return rows


def told(values: Sequence[float]) -> str:
    """`median (lowest to highest)`."""
    return f"{statistics.median(values):.3g} ({min(values):.3g} to {max(values):.3g})"
