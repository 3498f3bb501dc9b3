"""The deployments' folders: what was started, its key, and the state it is truly in."""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ftctl.deployments import client
from ftctl.deployments.model import Deployment, Parity
from ftctl.errors import UsageError
from ftctl.paths import deployments_dir
from ftctl.plan.serve_kind import ENDPOINTS
from ftctl.process import age, alive
from ftctl.record import from_record, to_record

RECORD, KEY, LOG, EVENTS = "deployment.json", "key", "server.log", "events.jsonl"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
LIVE = frozenset({"starting", "running", "unhealthy"})


@dataclass(frozen=True)
class Entry:
    """A deployment as recorded. `ready` and `ended` (an end that was meant) are seconds since the epoch."""

    deployment: Deployment
    ready: float | None = None
    ended: float | None = None

    @property
    def name(self) -> str:
        return self.deployment.name

    @property
    def folder(self) -> Path:
        return Path(self.deployment.folder)


def folder_of(name: str) -> Path:
    """Where the deployment of that name is kept. Raises UsageError for a name that cannot be one."""
    if not NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot name a deployment", "letters, digits, dots, dashes; 64 at most")
    return deployments_dir() / name


def write(entry: Entry) -> None:
    """Record a deployment, whole or not at all."""
    text = json.dumps({"format": 1, **to_record(entry)}, indent=1, ensure_ascii=False)
    temporary = entry.folder / f".{RECORD}.{os.getpid()}"
    temporary.write_text(text + "\n")
    temporary.replace(entry.folder / RECORD)


def change(entry: Entry, *, ready: float | None = None, ended: float | None = None) -> Entry:
    """The entry with its times brought up to date, recorded."""
    changed = replace(entry, ready=ready or entry.ready, ended=ended or entry.ended)
    write(changed)
    return changed


def compared(entry: Entry, parity: Parity) -> Entry:
    """The entry with how close its answers are to the training engine's, recorded."""
    changed = replace(entry, deployment=replace(entry.deployment, parity=parity))
    write(changed)
    return changed


def write_key(folder: Path, key: str) -> None:
    """Keep the key where only its owner reads it."""
    handle = os.open(folder / KEY, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(key + "\n")


def key_of(entry: Entry) -> str:
    """The deployment's key. Raises UsageError where it has been stopped and has none."""
    try:
        return (entry.folder / KEY).read_text().strip()
    except FileNotFoundError:
        raise UsageError(
            f"{entry.name} has been stopped and has no key", "ftctl deploy starts it again"
        ) from None


def forget_key(entry: Entry) -> None:
    with contextlib.suppress(FileNotFoundError):
        (entry.folder / KEY).unlink()


def find(name: str) -> Entry | None:
    """The deployment of that name, live or not; a record that cannot be read counts as none."""
    try:
        return from_record(Entry, json.loads((folder_of(name) / RECORD).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def get(name: str) -> Entry:
    """The deployment of that name. Raises UsageError where there is none, naming those that there are."""
    found = find(name)
    if found is None:
        names = ", ".join(entry.name for entry in entries()) or "none"
        raise UsageError(f"there is no deployment called {name}", f"the deployments here: {names}")
    return found


def entries() -> Iterator[Entry]:
    """Every deployment that was ever recorded here and not replaced, by name."""
    try:
        names = sorted(os.listdir(deployments_dir()))
    except FileNotFoundError:
        return
    for name in names:
        if NAME.fullmatch(name) and (found := find(name)) is not None:
            yield found


def state(entry: Entry, healthy: Callable[[str], bool] = client.healthy) -> str:
    """running, starting, unhealthy, dead or stopped, from the process itself and its /health."""
    if not alive(entry.deployment.process):
        return "dead" if entry.ended is None else "stopped"
    if healthy(entry.deployment.url):
        return "running"
    return "starting" if entry.ready is None else "unhealthy"


def uptime(entry: Entry) -> float:
    """Seconds since its process was started; where that is not known, since it was recorded."""
    process = entry.deployment.process
    return age(process) if process.started else max(0.0, time.time() - entry.deployment.created)


def how_asked(deployment: Deployment) -> dict[str, Any]:
    """How a deployment is asked, as `--json` tells it: its endpoints, what a client adds to its texts, and
    how close it is to what was trained."""
    return {
        "kind": deployment.kind,
        "endpoints": list(ENDPOINTS[deployment.kind]),
        "query_prompt": deployment.query_prompt,
        "query_suffix": deployment.query_suffix,
        "passage_prompt": deployment.passage_prompt,
        "parity": None if deployment.parity is None else asdict(deployment.parity),
    }


def describe(name: str) -> str:
    """What is running under a name, and how to ask it, watch it and stop it."""
    entry = get(name)
    deployment = entry.deployment
    asked = deployment.kind == "generate"
    return "\n".join(
        (
            f"{name}: {state(entry)} at {deployment.url}/v1, model {deployment.model}, {deployment.engine}",
            *([f"  ask it    ftctl chat {name} 'your question'"] if asked else how_to_ask(deployment)),
            f"  watch it  ftctl logs {name} -f; for Prometheus {deployment.url}/metrics, with the key",
            f"  its key   {entry.folder / KEY}",
            f"  stop it   ftctl stop {name}",
        )
    )


def how_to_ask(deployment: Deployment) -> list[str]:
    """How vectors or scores are asked for, and what a client must add to its texts: vLLM adds nothing."""
    lines = []
    if deployment.kind == "embed":
        lines.append(f"  ask it    POST {deployment.url}/v1/embeddings, as OpenAI's clients do")
    else:
        lines.append(f"  ask it    POST {deployment.url}/rerank or /score; scores are logits, not of 0 to 1")
    queries = [("in front", deployment.query_prompt), ("at the end", deployment.query_suffix)]
    told = [f"{json.dumps(text, ensure_ascii=False)} {place}" for place, text in queries if text]
    if told:
        lines.append(f"  queries   put {' and '.join(told)}: the server adds nothing")
    if deployment.passage_prompt:
        put = json.dumps(deployment.passage_prompt, ensure_ascii=False)
        lines.append(f"  passages  put {put} in front")
    if deployment.parity is not None:
        lines.append(f"  parity    {parity_line(deployment.parity)}")
    return lines


def parity_line(parity: Parity) -> str:
    """How close a server is to what was trained, in words."""
    if parity.figure is None:
        return parity.note
    if parity.measure == "cosine":
        return f"as trained: cosine {parity.figure:.6f} at worst, {parity.count} texts"
    return f"as trained: scores {parity.figure:.1e} apart at worst, {parity.count} pairs"
