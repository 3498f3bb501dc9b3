"""`ftctl rm`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ftctl.cli.options import Json, States

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ftctl.run.remove import Removal


def register(app: typer.Typer) -> None:
    app.command("rm")(rm)


def rm(
    runs: Annotated[list[str] | None, typer.Argument(metavar="RUN…", help="Ids or folders of runs.")] = None,
    states: States = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="With --state: only the runs of this job.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Remove runs with all that is in them, after showing what that frees.

    A run that has not ended is refused, and so is one that a deployment serves from; then none of those named
    is removed. Without a terminal to ask on, --yes is needed.

    [bold]Examples[/bold]

    ftctl rm 20260101-120000-abcd

    ftctl rm --state FAILED --state LOST --yes
    """
    from ftctl.run.remove import removals, remove
    from ftctl.view.output import emit
    from ftctl.view.progress import size

    found = removals(_chosen(runs or (), states or (), name))
    if found and not yes:
        _ask(found)
    for removal in found:
        remove(removal)
    data = [{"id": one.run.name, "name": one.name, "state": one.state, "frees": one.frees} for one in found]
    freed = sum(one.frees for one in found)
    text = f"removed {_counted(found)}: {size(freed)}" if found else "there is no such run"
    emit("rm", {"removed": data, "freed": freed}, as_json=as_json, text=text)


def _chosen(runs: Sequence[str], states: Sequence[str], name: str | None) -> list[Path]:
    """The folders that are meant, each once. Raises UsageError where nothing or nonsense is."""
    from pathlib import Path

    from ftctl.errors import UsageError
    from ftctl.run.find import one
    from ftctl.run.index import listed
    from ftctl.run.state import ENDED, checked

    if bool(runs) == bool(states):
        raise UsageError("say which runs: their ids, or --state", "ftctl rm --state FAILED, for example")
    if runs:
        return list(dict.fromkeys(one(run) for run in runs))
    return [Path(run.directory) for run in listed(name, checked(states, ENDED))]


def _ask(found: Sequence[Removal]) -> None:
    """Show what would be removed and ask. Raises UsageError without a terminal, Interrupted at a no."""
    import sys

    from ftctl.errors import Interrupted, UsageError
    from ftctl.view.output import say
    from ftctl.view.progress import size

    for one in found:
        say(f"  {one.run.name}  {one.name}  {one.state}  {size(one.frees)}")
    freed = size(sum(one.frees for one in found))
    if not sys.stdin.isatty():
        raise UsageError(f"removing {_counted(found)} would free {freed}", "say so with --yes")
    if not typer.confirm(f"remove {_counted(found)} and free {freed}?", err=True):
        raise Interrupted("nothing was removed")


def _counted(found: Sequence[Removal]) -> str:
    return "1 run" if len(found) == 1 else f"{len(found)} runs"
