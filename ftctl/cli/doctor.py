"""`ftctl doctor`."""

from __future__ import annotations

import typer

from ftctl.cli.options import Json


def register(app: typer.Typer) -> None:
    app.command("doctor")(doctor)


def doctor(as_json: Json = False) -> None:
    """Look at the machine: Python, uv, folders, disk, GPUs and the engines that are installed.

    Exit code 0, or 4 where something that ftctl needs is missing.

    [bold]Examples[/bold]

    ftctl doctor

    ftctl doctor --json
    """
    import dataclasses
    import os

    from ftctl.engines.checkup import checkup
    from ftctl.errors import Missing
    from ftctl.view.output import emit, table

    found = checkup(os.environ)
    rows = [(one.what, one.state, one.answer, one.remedy) for one in found]
    short = [one.what for one in found if one.state == "missing"]
    data = {"findings": [dataclasses.asdict(one) for one in found], "missing": short}
    exit_code = Missing.exit_code if short else 0
    emit(
        "doctor",
        data,
        as_json=as_json,
        text=table(("what", "state", "answer", "what to do"), rows),
        exit_code=exit_code,
    )
    if exit_code:
        raise typer.Exit(exit_code)
