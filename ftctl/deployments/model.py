"""A deployment: a server that was started from an artifact."""

from __future__ import annotations

from dataclasses import dataclass

from ftctl.process import ProcessId


@dataclass(frozen=True)
class Parity:
    """How close a server's answers are to the training engine's on the same inputs.

    `figure` is the worst of `count`: a cosine (1 is the same) where `measure` is cosine, a relative
    difference (0 is the same) where it is difference. None: not checked, and `note` says why.
    """

    measure: str = "cosine"
    figure: float | None = None
    count: int = 0
    note: str = ""


@dataclass(frozen=True)
class Deployment:
    """One server. `url` is its base address without a path; `model` its name in the API; `folder` holds
    deployment.json, server.log and the key (0600); `run` is the run directory that it came from.

    `kind` is generate, embed or score; the prompts are what a client puts in front of queries and passages,
    the suffix what it ends a query with. `process` is the server's, NOBODY before there is one. `parity` is
    None for a generator of text."""

    name: str
    engine: str
    model: str
    url: str
    process: ProcessId
    created: float
    folder: str
    artifact: str
    run: str | None = None
    kind: str = "generate"
    query_prompt: str | None = None
    query_suffix: str | None = None
    passage_prompt: str | None = None
    parity: Parity | None = None
