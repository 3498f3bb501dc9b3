"""`ftctl version`."""

from __future__ import annotations

import typer

from ftctl.cli.options import Json


def register(app: typer.Typer) -> None:
    app.command("version")(version)


def version(as_json: Json = False) -> None:
    """Show the version of ftctl.

    [bold]Examples[/bold]

    ftctl version

    ftctl version --json
    """
    from ftctl import __version__
    from ftctl.view.output import emit

    emit("version", {"version": __version__}, as_json=as_json, text=f"ftctl {__version__}")
