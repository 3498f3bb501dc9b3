"""`ftctl render`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ftctl.cli.options import Gpus, Json, Offline, Overrides


def register(app: typer.Typer) -> None:
    app.command("render")(render)


def render(
    job_file: Annotated[Path, typer.Argument(metavar="JOB", help="The job file.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A folder for the files.")] = None,
    overrides: Overrides = None,
    gpus: Gpus = None,
    offline: Offline = False,
    as_json: Json = False,
) -> None:
    """Show the engine's native files and commands, exactly as a run would get them.

    With --output they are written to a folder, links to the data included, ready for the engine's own
    command line.

    [bold]Examples[/bold]

    ftctl render job.yaml

    ftctl render job.yaml --output native/
    """
    from ftctl.prepare import load_job, prepare
    from ftctl.run.rendering import all_steps, as_data, as_text, write
    from ftctl.view.output import emit, say
    from ftctl.view.scanning import scanning
    from ftctl.view.warnings import show_warnings

    with scanning() as watch:
        made = prepare(load_job(job_file, tuple(overrides or ()), gpus), watch=watch, offline=offline)
    show_warnings(made)
    steps = all_steps(made)
    if output is not None:
        write(steps, output)
        say(f"written to {output}")
    emit("render", as_data(steps), as_json=as_json, text="" if output is not None else as_text(steps))
