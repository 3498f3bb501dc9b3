"""Has a served model answer questions: the program that asks, what it is told, and how it ended."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftctl.deployments import store
from ftctl.deployments.store import Entry
from ftctl.errors import Interrupted
from ftctl.judge.question_files import QUESTIONS
from ftctl.paths import PACKAGE
from ftctl.program import followed

PROGRAM = PACKAGE / "inside" / "ask_questions.py"
PREDICTIONS, ASKING, LOG = "predictions.jsonl", "asking.json", "asking.log"
KEY = "FTCTL_ASK_KEY"

Tell = Callable[[Mapping[str, Any]], None]  # told done, total and errors; may raise to end the asking


@dataclass(frozen=True)
class Endpoint:
    """Who is asked: the address without a path, the model's name there, and its key. `connect` and `ca` are
    for https: the address to connect to, and the file of who is trusted."""

    address: str
    model: str
    key: str
    engine: str = ""
    connect: str | None = None
    ca: Path | None = None


@dataclass(frozen=True)
class Manner:
    """How it is asked; `timeout` is in seconds."""

    sampling: Mapping[str, Any]
    concurrency: int = 16
    retries: int = 3
    timeout: float = 120.0


def endpoint_of(entry: Entry) -> Endpoint:
    """A deployment as it is asked. Raises UsageError where it has been stopped and has no key."""
    deployment, ca = entry.deployment, entry.folder / store.CA
    return Endpoint(
        deployment.url,
        deployment.model,
        store.key_of(entry),
        deployment.engine,
        deployment.listens,
        ca if deployment.listens is not None else None,
    )


@dataclass(frozen=True)
class Asked:
    """How an asking ended: `gone` is why the server was given up, empty where it was not; `seconds` what the
    asking took, 0 where there was nothing to ask."""

    gone: str
    seconds: float


def ask(folder: Path, rows: int, endpoint: Endpoint, manner: Manner, python: Path, tell: Tell) -> Asked:
    """Ask every question of `folder` that has no good answer there yet; `python` is the judge's interpreter.

    Raises Interrupted where it was ended early, what `tell` raises, and FtctlError where the program fails.
    """
    request = {
        "address": endpoint.address,
        "connect": endpoint.connect,
        "ca": None if endpoint.ca is None else str(endpoint.ca),
        "model": endpoint.model,
        "questions": str(folder / QUESTIONS),
        "predictions": str(folder / PREDICTIONS),
        "rows": rows,
        "sampling": dict(manner.sampling),
        "concurrency": manner.concurrency,
        "retries": manner.retries,
        "timeout": manner.timeout,
    }
    place = folder / ASKING
    place.write_text(json.dumps(request, ensure_ascii=False), encoding="utf-8")
    argv = (str(python), str(PROGRAM), str(place))
    last = followed(argv, log=folder / LOG, tell=tell, what="asking the questions", env={KEY: endpoint.key})
    place.unlink()
    if last.get("ended") not in ("done", "gone"):
        raise Interrupted("ended while asking; the answers so far are kept")
    return Asked(str(last.get("why") or ""), float(last["seconds"]) if last.get("asked") else 0.0)
