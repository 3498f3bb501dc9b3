"""`ftctl ps`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ftctl.cli.options import Json

if TYPE_CHECKING:
    from ftctl.deployments.store import Entry
    from ftctl.run.state import RunState


def register(app: typer.Typer) -> None:
    app.command("ps")(ps)


def ps(
    every: Annotated[bool, typer.Option("--all", "-a", help="Show stopped deployments too.")] = False,
    as_json: Json = False,
) -> None:
    """List the deployments and the unfinished runs on this machine, and the state each is truly in.

    A deployment is one of: starting, running, unhealthy (its process lives and does not answer), dead (it
    ended without being asked to), stopped. A run is PENDING, RUNNING or STOPPING; ftctl runs lists them all.

    [bold]Examples[/bold]

    ftctl ps

    ftctl ps --all --json
    """
    from ftctl.deployments import store
    from ftctl.run.index import live
    from ftctl.view.output import emit

    listed = [(entry, store.state(entry)) for entry in store.entries()]
    rows = [_row(entry, state) for entry, state in listed if every or state != "stopped"]
    runs = live()
    data = {"deployments": rows, "runs": [run._asdict() for run in runs]}
    if as_json or not (rows or runs):
        emit("ps", data, as_json=as_json, text="nothing is deployed: ftctl deploy starts a server")
        return
    if rows:
        _show_deployments(rows)
    if runs:
        _show_runs(runs, after=bool(rows))


def _show_deployments(rows: list[dict[str, Any]]) -> None:
    from ftctl.view.output import emit, table

    shown = [[_cell(row[column]) for column in COLUMNS] for row in rows]
    emit("ps", {}, as_json=False, text=table(COLUMNS, shown))


def _show_runs(runs: list[RunState], *, after: bool) -> None:
    import time

    from ftctl.view.output import emit
    from ftctl.view.run_list import run_list

    emit("ps", {}, as_json=False, text="\n" * after + run_list(runs, time.time()))


COLUMNS = ("name", "model", "engine", "address", "state", "uptime", "parity")


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
    from ftctl.deployments.store import parity_word
    from ftctl.view.progress import duration

    if isinstance(value, dict):
        return parity_word(value)
    return duration(value) if isinstance(value, float) else "" if value is None else str(value)
