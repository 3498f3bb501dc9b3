"""What a deployment is told of: to people when it is up, and in what `--json` says of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ftctl.deployments import store
from ftctl.deployments.model import Deployment, Parity
from ftctl.plan.serve_kind import ENDPOINTS


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
        "adapters": None if deployment.adapters is None else dict(deployment.adapters),
        "ca": None if deployment.listens is None else f"{deployment.folder}/{store.CA}",
    }


def describe(name: str) -> str:
    """What is running under a name, and how to ask it, watch it and stop it."""
    entry = store.get(name)
    deployment = entry.deployment
    asked = deployment.kind == "generate"
    return "\n".join(
        (
            f"{name}: {store.state(entry)} at {deployment.url}/v1, "
            f"model {deployment.model}, {deployment.engine}",
            *([f"  ask it    ftctl chat {name} 'your question'"] if asked else how_to_ask(deployment)),
            *how_more(deployment),
            *_how_close(deployment),
            f"  watch it  ftctl logs {name} -f; for Prometheus {deployment.url}/metrics, with the key",
            f"  its key   {entry.folder / store.KEY}",
            f"  stop it   ftctl stop {name}",
        )
    )


def how_more(deployment: Deployment) -> list[str]:
    """Its adapters, and the certificate that clients trust."""
    lines = []
    if deployment.adapters is not None:
        named = ", ".join(deployment.adapters) or "none yet"
        lines.append(f"  adapters  {named}: ftctl deploy {deployment.name} --attach NAME=RUN adds one")
    if deployment.listens is not None:
        lines.append(f"  trust     {deployment.folder}/{store.CA}: the certificate that clients must trust")
    return lines


def _how_close(deployment: Deployment) -> list[str]:
    return [] if deployment.parity is None else [f"  parity    {parity_line(deployment.parity)}"]


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
    return lines


def parity_word(parity: Mapping[str, Any]) -> str:
    """How a deployment's parity stands in a table: a word or two."""
    if parity["differs"]:
        return "differs"
    return "not checked" if parity["figure"] is None else "as trained"


def parity_line(parity: Parity) -> str:
    """How close a server is to what was trained, in words."""
    if parity.differs:
        return f"not as trained: {parity.note}"
    if parity.figure is None:
        return parity.note
    if parity.measure == "tokens":
        told = f"as trained: the same tokens in {round(parity.figure * parity.count)} conversations"
        return f"{told}; {parity.note}" if parity.note else told
    if parity.measure == "cosine":
        return f"as trained: cosine {parity.figure:.6f} at worst, {parity.count} texts"
    return f"as trained: scores {parity.figure:.1e} apart at worst, {parity.count} pairs"
