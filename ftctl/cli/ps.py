"""`ftctl ps`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ftctl.cli.options import Json

if TYPE_CHECKING:
    from ftctl.deployments.store import Entry


def register(app: typer.Typer) -> None:
    app.command("ps")(ps)


def ps(
    every: Annotated[bool, typer.Option("--all", "-a", help="Show stopped deployments too.")] = False,
    as_json: Json = False,
) -> None:
    """List the deployments on this machine and the state each is truly in.

    A state is one of: starting, running, unhealthy (its process lives and does not answer), dead (it ended
    without being asked to), stopped.

    [bold]Examples[/bold]

    ftctl ps

    ftctl ps --all --json
    """
    from ftctl.deployments import store
    from ftctl.view.output import emit, table

    listed = [(entry, store.state(entry)) for entry in store.entries()]
    rows = [_row(entry, state) for entry, state in listed if every or state != "stopped"]
    if as_json:
        emit("ps", {"deployments": rows}, as_json=True, text="")
    elif rows:
        shown = [[_cell(row[column]) for column in COLUMNS] for row in rows]
        emit("ps", {}, as_json=False, text=table(COLUMNS, shown))
    else:
        emit("ps", {}, as_json=False, text="nothing is deployed: ftctl deploy starts a server")


COLUMNS = ("name", "model", "engine", "address", "state", "uptime")


def _row(entry: Entry, state: str) -> dict[str, Any]:
    from ftctl.deployments.store import LIVE, how_asked, uptime

    deployment = entry.deployment
    return {
        "name": deployment.name,
        "model": deployment.model,
        "engine": deployment.engine,
        "address": deployment.url,
        "state": state,
        "uptime": round(uptime(entry), 1) if state in LIVE else None,
        "pid": deployment.process.pid,
        "artifact": deployment.artifact,
        "run": deployment.run,
        "folder": deployment.folder,
        **how_asked(deployment),
    }


def _cell(value: object) -> str:
    from ftctl.view.progress import duration

    return duration(value) if isinstance(value, float) else "" if value is None else str(value)
