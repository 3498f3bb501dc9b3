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
    from ftctl.errors import FtctlError
    from ftctl.view.output import emit, say

    chosen = _chosen(names or [], every=every, now=now, no_restart=no_restart)
    done: dict[str, str] = {}
    failed: list[FtctlError] = []
    for name in chosen:
        try:
            done[name] = _leave_alone(name) if no_restart else _stop(name, now=now)
        except FtctlError as error:  # the others are stopped all the same
            failed.append(error)
            continue
        if not as_json:
            emit("stop", {}, as_json=False, text=f"{name}: {done[name]}")
    for other in failed[1:]:
        say(f"ftctl: {other}")
    if failed:
        raise failed[0]
    if as_json or not chosen:
        emit("stop", {"stopped": done}, as_json=as_json, text="nothing is deployed")


def _chosen(names: list[str], *, every: bool, now: bool, no_restart: bool) -> list[str]:
    """The names of what is to be stopped. Raises UsageError where that is not clear."""
    from ftctl.deployments import store
    from ftctl.deployments.fronts import front_of
    from ftctl.errors import UsageError

    if now and no_restart:
        raise UsageError("--no-restart lets it serve on, and --now kills it", "write one or the other")
    if every:
        if names:
            told = f"--all stops every deployment, and {', '.join(names)} is named too"
            raise UsageError(told, "write one or the other")
        return [
            entry.name
            for entry in store.entries()
            if store.state(entry) != "stopped" and front_of(entry) is None
        ]
    if not names:
        raise UsageError("say what to stop", "ftctl stop NAME, or --all for every deployment")
    for name in names:
        _known(name, deployed=no_restart)
    return list(dict.fromkeys(names))


def _known(name: str, *, deployed: bool) -> None:
    """Raises UsageError for a name that nothing has: of several, none is stopped then."""
    from ftctl.deployments import store
    from ftctl.errors import UsageError
    from ftctl.run.find import lookup

    if deployed:
        store.get(name)
    elif not (store.NAME.fullmatch(name) and store.find(name)) and lookup(name) is None:
        raise UsageError(
            f"there is no deployment and no run called {name}", "ftctl ps and ftctl runs list them"
        )


def _leave_alone(name: str) -> str:
    from ftctl.deployments import store
    from ftctl.deployments.stop import leave_alone

    leave_alone(store.get(name))
    return "serves on, and is started again neither when it ends nor after a reboot"


def _stop(name: str, *, now: bool) -> str:
    """Stop one deployment or run, and say what was done."""
    from ftctl.deployments import store
    from ftctl.deployments.stop import stop as stop_deployment
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
    return "was stopped already"
