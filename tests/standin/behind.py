"""Stand-in servers behind the real HAProxy: deployed, and replaced, here or by a process that can be killed.

    python -m tests.standin.behind replace|abandon MODEL HOW

`replace` does it; `abandon` ends like a killed command does: with new servers ready and not yet taken over.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ftctl.artifacts.model import Artifact
from ftctl.deployments import client, store
from ftctl.deployments.behind import ready, serve, start_members
from ftctl.deployments.model import Deployment
from ftctl.deployments.replace import Gate, open_gate, replace_servers
from ftctl.deployments.start import Behind
from ftctl.facts.model import EngineFacts, MachineFacts, ModelFacts
from ftctl.job.model import Deploy
from ftctl.leases.hold import NOTHING
from ftctl.process import own_session

SERVER = Path(__file__).with_name("server.py")


def facts(model: Path, run: Path | None = None) -> dict[str, Any]:
    """What start() takes besides the artifact and the deploy block."""
    return {
        "engine": EngineFacts("vllm", "cpu", SERVER, installed=True),
        "machine": MachineFacts((), None, 2, 2**34, 2**34),
        "model_facts": ModelFacts(str(model), local=True, max_positions=512, weight_bytes=1),
        "run": run,
        "emit": lambda kind, data: None,
    }


def served(model: Path, how: str = "quick", **block: Any) -> Deployment:
    """The deployment `ft` behind a proxy."""
    deploy = Deploy(native={"stand-in": how}, proxy=True, **block)
    return serve(Artifact("model", model), deploy, name="ft", **facts(model))


def replaced(model: Path, how: str = "quick", gate: Gate = open_gate, **block: Any) -> Deployment:
    """The deployment `ft` with other servers."""
    deploy, told = Deploy(native={"stand-in": how}, proxy=True, **block), facts(model)
    return replace_servers(
        "ft", Artifact("model", model), deploy, lend=lambda name: NOTHING, gate=gate, **told
    )


def elsewhere(what: str, model: Path, how: str = "quick") -> subprocess.Popen[bytes]:
    """`what` in a process of its own."""
    return subprocess.Popen([sys.executable, "-m", __name__, what, str(model), how])


def abandon(model: Path, how: str) -> None:
    deploy, key = Deploy(native={"stand-in": how}), store.key_of(store.get("ft"))
    behind = Behind("ft", key, lambda entry: None)
    lend = lambda name: NOTHING  # noqa: E731
    ready(
        start_members(Artifact("model", model), deploy, behind, lend=lend, ended=ExitStack(), **facts(model))
    )
    os._exit(0)


def members() -> tuple[str, ...]:
    """The servers behind the front `ft`."""
    return store.get("ft").deployment.members


def answers() -> bool:
    """Whether `ft` answers by its name."""
    front = store.get("ft")
    return client.models(front.deployment.url, store.key_of(front)) == ("ft",)


def gone(name: str) -> bool:
    """Whether nothing of the deployment lives."""
    entry = store.find(name)
    return entry is None or not (store.lives(entry) or own_session(entry.deployment.process))


if __name__ == "__main__":
    {"replace": replaced, "abandon": abandon}[sys.argv[1]](Path(sys.argv[2]), sys.argv[3])
