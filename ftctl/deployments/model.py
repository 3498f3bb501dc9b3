"""A deployment: a server that was started from an artifact."""

from __future__ import annotations

from dataclasses import dataclass

from ftctl.process import ProcessId


@dataclass(frozen=True)
class Deployment:
    """One server. `url` is its base address without a path; `model` its name in the API; `folder` holds
    deployment.json, server.log and the key (0600); `run` is the run directory that it came from."""

    name: str
    engine: str
    model: str
    url: str
    process: ProcessId
    created: float
    folder: str
    artifact: str
    run: str | None = None
