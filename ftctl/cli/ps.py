"""`ftctl ps`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ftctl.cli.options import Json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ftctl.deployments.store import Entry
    from ftctl.leases.model import Holder
    from ftctl.run.state import RunState


def register(app: typer.Typer) -> None:
    app.command("ps")(ps)


def ps(
    every: Annotated[bool, typer.Option("--all", "-a", help="Show stopped deployments too.")] = False,
    as_json: Json = False,
) -> None:
    """List the deployments and the unfinished runs on this machine, and the state each is truly in.

    A deployment's adapters stand beside its model; of one behind a proxy, replicas are how many of its
    servers run.

    requests and tok/s (tokens written a second since the last ftctl ps of the past 15 minutes, else since
    the start) are the server's own counts.

    A deployment is one of: starting, running, unhealthy (its process lives and does not answer), restarting,
    unsupervised (it answers, and its keeper was killed), failed (given up), dead (it and its keeper ended
    without being asked to), stopped. One that lost its keeper is given another. A run is PENDING, RUNNING or
    STOPPING; ftctl runs lists them all. The GPUs that each holds are shown, where one holds any.

    [bold]Examples[/bold]

    ftctl ps

    ftctl ps --all --json
    """
    from ftctl.deployments import store
    from ftctl.deployments.fronts import front_of
    from ftctl.keep.again import keep_again
    from ftctl.leases.folder import holders
    from ftctl.leases.model import held_by, run_phrase
    from ftctl.paths import leases_dir
    from ftctl.run.index import live
    from ftctl.view.output import emit, say

    held = holders(leases_dir())
    listed = [(entry, store.state(entry)) for entry in store.entries()]
    for entry, _ in listed:
        if keep_again(entry):
            say(f"{entry.name} had lost its keeper: another looks after it now")
    rows = [
        _row(entry, state) | _load(entry, state) | {"gpus": _gpus(entry, held)}
        for entry, state in listed
        if (state != "stopped" or (every and entry.deployment.behind is None)) and front_of(entry) is None
    ]
    runs = live()
    gpus = {run.id: held_by(run_phrase(run.name, run.id), held) for run in runs}
    data = {"deployments": rows, "runs": [{**run._asdict(), "gpus": gpus[run.id]} for run in runs]}
    if as_json or not (rows or runs):
        emit("ps", data, as_json=as_json, text="nothing is deployed: ftctl deploy starts a server")
        return
    if rows:
        _show_deployments(rows)
        for row in rows:
            if row["why"]:
                say(row["why"])
    if runs:
        _show_runs(runs, gpus, after=bool(rows))


def _gpus(entry: Entry, held: Sequence[Holder]) -> tuple[int, ...]:
    """The GPUs of a deployment, those of its servers behind a proxy among them."""
    from ftctl.leases.model import deployment_phrase, held_by

    names = (entry.name, *entry.deployment.members, *entry.deployment.retiring)
    return tuple(sorted(gpu for name in names for gpu in held_by(deployment_phrase(name), held)))


def _show_deployments(rows: list[dict[str, Any]]) -> None:
    from ftctl.view.output import emit, table

    replicas = ("replicas",) if any(row["replicas"] for row in rows) else ()
    gpus = ("gpus",) if any(row["gpus"] for row in rows) else ()
    listed = [row | {"model": ", ".join((row["model"], *(row["adapters"] or ())))} for row in rows]
    shown = [
        [_cell(row[column]) for column in (*COLUMNS, *replicas)]
        + _counts(row)
        + [_numbers(row[name]) for name in gpus]
        for row in listed
    ]
    drawn = table((*COLUMNS, *replicas, "requests", "tok/s", *gpus), shown)
    emit("ps", {}, as_json=False, text=drawn, whole=True)


def _show_runs(runs: list[RunState], gpus: Mapping[str, tuple[int, ...]], *, after: bool) -> None:
    import time

    from ftctl.view.output import emit
    from ftctl.view.run_list import run_list

    waiting = [f"{run.id}: {run.message}" for run in runs if run.message]
    holding = [f"{run}: holds GPU {_numbers(held)}" for run, held in gpus.items() if held]
    lines = (run_list(runs, time.time()), *holding, *waiting)
    emit("ps", {}, as_json=False, text="\n" * after + "\n".join(lines))


COLUMNS = ("name", "model", "engine", "address", "state", "uptime", "parity")


def _row(entry: Entry, state: str) -> dict[str, Any]:
    from ftctl.deployments.kept import kept_of
    from ftctl.deployments.store import LIVE, uptime
    from ftctl.deployments.told import how_asked

    deployment, kept = entry.deployment, kept_of(entry.folder)
    return {
        "name": deployment.name,
        "model": deployment.model,
        "engine": deployment.engine,
        "address": deployment.url,
        "state": state,
        "uptime": round(uptime(entry), 1) if state in LIVE else None,
        "pid": deployment.process.pid,
        "keeper": None if kept is None else kept.keeper.pid,
        "restarts": 0 if kept is None else kept.restarts,
        "why": entry.why or None,
        "replicas": _replicas(entry),
        "artifact": deployment.artifact,
        "run": deployment.run,
        "folder": deployment.folder,
        **how_asked(deployment),
    }


def _replicas(entry: Entry) -> list[dict[str, Any]] | None:
    """The servers behind a proxy, those that are leaving among them; None where there is no proxy."""
    from ftctl.deployments import store
    from ftctl.deployments.kept import kept_of

    deployment = entry.deployment
    if not deployment.members:
        return None
    found = [store.find(name) for name in (*deployment.members, *deployment.retiring)]
    return [
        {
            "name": member.name,
            "address": member.deployment.url,
            "state": "leaving" if member.name in deployment.retiring else store.state(member),
            "pid": member.deployment.process.pid,
            "restarts": 0 if (kept := kept_of(member.folder)) is None else kept.restarts,
            "why": member.why or None,
        }
        for member in found
        if member is not None
    ]


def _load(entry: Entry, state: str) -> dict[str, Any]:
    """What the server has done, as it counts it itself; null where it does not answer."""
    import time

    from ftctl.deployments.metrics import look

    found = look(entry, time.time()) if state == "running" else None
    if found is None:
        return {"requests": None, "tokens_per_second": None, "load": None}
    load, rate = found
    counts = {name: value for name, value in load.__dict__.items() if name not in ("time", "started")}
    return {"requests": load.requests, "tokens_per_second": round(rate, 1), "load": counts}


def _counts(row: dict[str, Any]) -> list[str]:
    rate = row["tokens_per_second"]
    return [_cell(row["requests"]), "" if rate is None else f"{rate:.1f}"]


def _numbers(gpus: tuple[int, ...]) -> str:
    return ",".join(map(str, gpus))


def _cell(value: object) -> str:
    from ftctl.deployments.told import parity_word
    from ftctl.view.progress import duration

    if isinstance(value, list):
        running = sum(replica["state"] == "running" for replica in value)
        leaving = sum(replica["state"] == "leaving" for replica in value)
        return f"{running}/{len(value) - leaving}" + f" +{leaving} leaving" * bool(leaving)
    if isinstance(value, dict):
        return parity_word(value)
    return duration(value) if isinstance(value, float) else "" if value is None else str(value)
