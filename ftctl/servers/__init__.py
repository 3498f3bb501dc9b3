"""Servers: a module and a table entry each."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from ftctl.artifacts.model import Artifact
from ftctl.errors import UsageError
from ftctl.facts.model import MachineFacts
from ftctl.job.model import Deploy
from ftctl.plan.model import ServePlan
from ftctl.rendered import Rendered

if TYPE_CHECKING:
    from ftctl.servers.fault import Fault


class Program(Protocol):
    """A program that is kept up: its name, and what its log says of its start and of its failures."""

    TITLE: str
    FAULTS: tuple[Fault, ...]
    PHASES: tuple[tuple[str, str], ...]


class Server(Program, Protocol):
    """What a server must offer. All of it is pure: values in, values out."""

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

    def ahead(self, plan: ServePlan, *, python: Path, local: bool, machine: MachineFacts) -> Rendered | None:
        """The command that imports the engine in the server's environment and then waits to be told what to
        serve (`inside/waiting_server.py`); None where it cannot. `local`: it will be told a folder."""

    def arguments(self, plan: ServePlan, deploy: Deploy) -> Mapping[str, Any]:
        """What the server is told, by its own names with underscores, without its place."""


SERVERS = ("vllm", "lmdeploy", "dummy")  # each a module here, imported when it is asked for


def server(name: str) -> Server:
    """The server of that name. Raises UsageError where there is none."""
    if name in SERVERS:
        return cast(Server, import_module(f"{__name__}.{name}"))
    raise UsageError(f"no server is called {name}", f"deploy.engine takes {', '.join(sorted(SERVERS))}")


def arguments(plan: ServePlan, deploy: Deploy) -> Mapping[str, Any]:
    """What the plan's server is to be told, by its own names with underscores: what its rules look at."""
    return server(plan.engine).arguments(plan, deploy)
