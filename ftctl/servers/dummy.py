"""The dummy: a server without an engine, for a pipeline's own tests. No model answers, and it says so.

The program is `inside/dummy_server.py`, run by ftctl's own interpreter; its arguments beyond the plan's are
those of `schemas/serving/dummy.schema.json`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ftctl.artifacts.model import Artifact
from ftctl.facts.model import MachineFacts
from ftctl.job.model import Deploy
from ftctl.plan.model import ServePlan
from ftctl.rendered import Rendered
from ftctl.servers.fault import Fault
from ftctl.servers.native import nested

TITLE = "ftctl's dummy"
FAULTS: tuple[Fault, ...] = (
    Fault(r"\[ftctl dummy\] told to fail: (.*)", "{1}", "take fail_to_start out of deploy.native"),
    Fault(r"\[ftctl dummy\] refused: (.*)", "{1}", "serve what train.engine: dummy has written"),
    Fault(r"\[ftctl dummy\] (cannot listen on .*)", "{1}", "set another deploy.port", may_pass=True),
)
PHASES: tuple[tuple[str, str], ...] = (("[ftctl dummy] server:", "loading nothing"),)
PROGRAM = Path(__file__).resolve().parents[1] / "inside" / "dummy_server.py"
FILE = "dummy.json"
# What `native` may say, and what holds where it does not.
TOLD: Mapping[str, Any] = {
    "ready_after": 0.0,
    "fail_to_start": False,
    "die_after_requests": None,
    "die_signal": "SIGKILL",
    "unhealthy_after_requests": None,
    "error_every": None,
    "seconds_per_token": 0.0,
    "answer": None,
}


def render(
    plan: ServePlan,
    deploy: Deploy,
    artifact: Artifact,
    *,
    python: Path,
    port: int,
    machine: MachineFacts,
) -> Rendered:
    """The command and its arguments."""
    place = {"path": str(artifact.path), "host": deploy.host, "port": port}
    text = json.dumps({**arguments(plan, deploy), **place}, indent=1, ensure_ascii=False) + "\n"
    env: dict[str, str | None] = {"PYTHONUNBUFFERED": "1", "PYTHONPATH": None}
    return Rendered((str(python), str(PROGRAM), FILE), env, {FILE: text})


def ahead(plan: ServePlan, *, python: Path, local: bool, machine: MachineFacts) -> Rendered | None:
    """None: there is nothing to import."""
    return None


def arguments(plan: ServePlan, deploy: Deploy) -> dict[str, Any]:
    """What the server is told; `native` wins."""
    native = {key: value for key, value in nested(deploy.native).items() if value is not None}
    return {"ftctl_dummy": True, "name": plan.name, "kind": plan.kind, **TOLD, **native}
