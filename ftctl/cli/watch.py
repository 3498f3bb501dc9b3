"""`ftctl watch`."""

from __future__ import annotations

from typing import Annotated

import typer

from ftctl.cli.options import Json


def register(app: typer.Typer) -> None:
    app.command("watch")(watch)


def watch(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's id, its folder, or its job's name.")],
    as_json: Json = False,
) -> None:
    """Show a run as it goes, from its beginning; the exit code is the run's own.

    Any number of shells may watch one run. Ctrl-C ends the watching and leaves the run alone. With --json
    every event is one line, and the envelope is the last.

    [bold]Examples[/bold]

    ftctl watch support-bot

    ftctl watch 20260101-120000-abcd

    ftctl watch support-bot --json
    """
    from ftctl.run.attend import become
    from ftctl.run.find import find

    become(find(run, half=True), as_json=as_json, watching=True)
