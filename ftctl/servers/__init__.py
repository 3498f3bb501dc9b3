"""Servers: a module and a table entry each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from ftctl.artifacts.model import Artifact
from ftctl.errors import UsageError
from ftctl.facts.model import MachineFacts
from ftctl.job.model import Deploy
from ftctl.plan.model import ServePlan
from ftctl.rendered import Rendered
from ftctl.servers import dummy, lmdeploy, vllm
from ftctl.servers.fault import Fault


class Server(Protocol):
    """What a server must offer. All of it is pure: values in, values out."""

    TITLE: str
    FAULTS: tuple[Fault, ...]
    PHASES: tuple[tuple[str, str], ...]

    def render(
        self,
        plan: ServePlan,
        deploy: Deploy,
        artifact: Artifact,
        *,
        python: Path,
        port: int,
        machine: MachineFacts,
    ) -> Rendered:
        """The command that serves `artifact`; the working directory is the deployment's folder.

        The key is not in it: the shell adds it to the environment when it starts the command.
        """


SERVERS: Mapping[str, Server] = {"vllm": vllm, "dummy": dummy}
LATER = frozenset({"lmdeploy"})
ARGUMENTS: Mapping[str, Callable[[ServePlan, Deploy], Mapping[str, Any]]] = {
    "vllm": vllm.arguments,
    "lmdeploy": lmdeploy.arguments,
    "dummy": dummy.arguments,
}


def server(name: str) -> Server:
    """The server of that name. Raises UsageError for one that this version does not have."""
    if name in SERVERS:
        return SERVERS[name]
    if name in LATER:
        raise UsageError(f"{name}: not available in this version", "set deploy.engine to vllm")
    raise UsageError(f"no server is called {name}", f"deploy.engine takes {', '.join(sorted(SERVERS))}")


def arguments(plan: ServePlan, deploy: Deploy) -> Mapping[str, Any]:
    """What the plan's server is to be told, by its own names with underscores: what its rules look at.

    Servers that cannot be started yet are known here too. Raises UsageError for what the server lacks.
    """
    return ARGUMENTS[plan.engine](plan, deploy)
