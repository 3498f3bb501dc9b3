"""`ftctl stop`."""

from __future__ import annotations

from typing import Annotated

import typer

from ftctl.cli.options import Json


def register(app: typer.Typer) -> None:
    app.command("stop")(stop)


def stop(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME…", help="Deployments or runs.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every deployment.")] = False,
    now: Annotated[bool, typer.Option("--now", help="Kill at once instead of asking first.")] = False,
    no_restart: Annotated[
        bool, typer.Option("--no-restart", help="Let deployments serve on, and restart them no more.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Stop deployments, or ask runs to save a checkpoint and end.

    A deployment answers what it is being asked, for half a minute at most; --now does not wait for that. No
    process of it is left when this returns, its keeper included, and it is not started again after a reboot.
    Its log can be read until another of that name is started.

    [bold]Examples[/bold]

    ftctl stop support-bot

    ftctl stop --all

    ftctl stop support-bot --no-restart

    ftctl stop 20260101-120000-abcd --now
    """
    from ftctl.deployments import store
    from ftctl.deployments.fronts import front_of
    from ftctl.errors import UsageError
    from ftctl.view.output import emit

    if every:
        chosen = [
            entry.name
            for entry in store.entries()
            if store.state(entry) != "stopped" and front_of(entry) is None
        ]
    else:
        chosen = list(dict.fromkeys(names or ()))
        if not chosen:
            raise UsageError("say what to stop", "ftctl stop NAME, or --all for every deployment")
    done = {name: _leave_alone(name) if no_restart else _stop(name, now=now) for name in chosen}
    text = "\n".join(f"{name}: {what}" for name, what in done.items()) or "nothing is deployed"
    emit("stop", {"stopped": done}, as_json=as_json, text=text)


def _leave_alone(name: str) -> str:
    from ftctl.deployments import store
    from ftctl.deployments.stop import leave_alone

    leave_alone(store.get(name))
    return "serves on, and is started again neither when it ends nor after a reboot"


def _stop(name: str, *, now: bool) -> str:
    """Stop one deployment or run, and say what was done."""
    from ftctl.deployments import store
    from ftctl.deployments.stop import stop as stop_deployment
    from ftctl.errors import UsageError
    from ftctl.run.control import stop as stop_run
    from ftctl.run.find import lookup

    entry = store.find(name) if store.NAME.fullmatch(name) else None
    if entry is not None and (state := store.state(entry)) != "stopped":
        stop_deployment(entry, now=now)
        return "stopped" if state in store.LIVE else f"it was {state}; what was left has been ended"
    run = lookup(name)
    if run is not None:
        stop_run(run, now=now)
        return "ended" if now else "asked to save a checkpoint and end"
    if entry is not None:
        return "was stopped already"
    raise UsageError(f"there is no deployment and no run called {name}", "ftctl ps and ftctl runs list them")
