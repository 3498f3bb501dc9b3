"""What a server counts of its own work, from its Prometheus metrics.

The text is Prometheus' exposition format (one sample a line: name, labels in braces, value). A counter that
stands under several labels counts as their sum.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass

from ftctl.deployments import client, store
from ftctl.deployments.kept import kept_of
from ftctl.deployments.store import Entry
from ftctl.errors import UsageError
from ftctl.record import from_record, to_record

LOAD = "load.json"
FRESH = (1.0, 900.0)  # seconds between two looks that make a rate worth telling

# By engine: requests answered, tokens read, tokens written, requests at work, requests that wait.
NAMES: Mapping[str, tuple[str, str, str, str, str]] = {
    "vllm": (
        "vllm:request_success_total",
        "vllm:prompt_tokens_total",
        "vllm:generation_tokens_total",
        "vllm:num_requests_running",
        "vllm:num_requests_waiting",
    ),
    "lmdeploy": (
        "lmdeploy:request_success_total",
        "lmdeploy:prompt_tokens_total",
        "lmdeploy:generation_tokens_total",
        "lmdeploy:num_requests_running",
        "lmdeploy:num_requests_waiting",
    ),
    "dummy": ("ftctl_dummy_requests_total", "", "", "", ""),
}


@dataclass(frozen=True)
class Load:
    """Counts since the server started, at `time` (seconds since the epoch); `started` tells servers apart."""

    time: float
    started: float
    requests: int
    prompt_tokens: int
    generation_tokens: int
    running: int
    waiting: int


def parse(text: str, engine: str, *, time: float, started: float) -> Load | None:
    """The counts in a metrics page of `engine`; None where the page has none of them."""
    sums: dict[str, float] = {}
    wanted = NAMES.get(engine, ())
    for line in text.splitlines():
        name = line.partition("{")[0].split(" ", 1)[0]
        if name in wanted and name:
            try:
                sums[name] = sums.get(name, 0.0) + float(line.rsplit("}", 1)[-1].split()[-1])
            except (IndexError, ValueError):
                continue
    if not sums:
        return None
    return Load(time, started, *(int(sums.get(name, 0.0)) for name in wanted))


def tokens_per_second(before: Load | None, now: Load) -> float:
    """Tokens written a second between two looks at the same server, else since the server started.

    A look that is too long or too short ago, or at another server, counts as none.
    """
    since, tokens = now.started, now.generation_tokens
    if (
        before is not None
        and before.started == now.started
        and FRESH[0] <= now.time - before.time <= FRESH[1]
    ):
        since, tokens = before.time, now.generation_tokens - before.generation_tokens
    return max(tokens, 0) / max(now.time - since, 1e-9)


def count(entry: Entry, now: float = 0.0, timeout: float = 2.0) -> Load | None:
    """The server's counts; None where it does not answer within `timeout` seconds, or tells none."""
    deployment, kept = entry.deployment, kept_of(entry.folder)
    try:
        key = store.key_of(entry)
        status, page = client.request(deployment.url, "/metrics", key=key, timeout=timeout)
    except (OSError, http.client.HTTPException, UsageError):
        return None
    # A server that was started again counts from nothing.
    started = kept.began if kept is not None and kept.began else deployment.created
    text = page.decode("utf-8", "replace")
    return parse(text, deployment.engine, time=now, started=started) if status == 200 else None


def look(entry: Entry, now: float, timeout: float = 2.0) -> tuple[Load, float] | None:
    """The counts of a running server and its tokens a second since the last look; None where it tells none.

    The counts are kept in the deployment's folder for the next look.
    """
    load = count(entry, now, timeout)
    if load is None:
        return None
    before = _kept(entry)
    if before is None or before.started != load.started or now - before.time >= FRESH[0]:
        _keep(entry, load)
    return load, tokens_per_second(before, load)


def _kept(entry: Entry) -> Load | None:
    try:
        return from_record(Load, json.loads((entry.folder / LOAD).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _keep(entry: Entry, load: Load) -> None:
    """Kept for a rate and nothing else: where it cannot be, the next rate is one since the start."""
    temporary = entry.folder / f".{LOAD}"
    try:
        temporary.write_text(json.dumps(to_record(load)))
        temporary.replace(entry.folder / LOAD)
    except OSError:
        return
