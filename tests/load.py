"""A load of requests in tests: several threads, kept and fresh connections, whole answers and streams."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class Load:
    """What came of the requests so far."""

    done: int = 0
    failures: list[str] = field(default_factory=list)


@contextmanager
def asked_all_the_while(
    url: str, key: str, model: str, threads: int = 4, pause: float = 0.0
) -> Iterator[Load]:
    """Ask while the block runs, each thread `pause` seconds after an answer; half the threads keep their
    connections, half stream."""
    load, over = Load(), threading.Event()
    asking = [
        threading.Thread(
            target=_ask, args=(url, key, model, load, over, number % 2 == 0, number // 2 % 2 == 0, pause)
        )
        for number in range(threads)
    ]
    for thread in asking:
        thread.start()
    try:
        yield load
    finally:
        over.set()
        for thread in asking:
            thread.join()


def _ask(
    url: str,
    key: str,
    model: str,
    load: Load,
    over: threading.Event,
    kept: bool,
    stream: bool,
    pause: float,
) -> None:
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
    body = {"model": model, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4}
    text = json.dumps({**body, "stream": stream})
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    while not over.is_set():
        try:
            connection.request("POST", "/v1/chat/completions", text, headers)
            answer = connection.getresponse()
            said = answer.read()
            if answer.status != 200 or (b"[DONE]" not in said if stream else b"choices" not in said):
                load.failures.append(f"{answer.status}: {said[:200]!r}")
        except (OSError, http.client.HTTPException) as error:
            load.failures.append(f"{type(error).__name__}: {error}")
            connection.close()
        load.done += 1
        if not kept:
            with suppress(OSError):
                connection.close()
        over.wait(pause)
    connection.close()
