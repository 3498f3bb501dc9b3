"""`ftctl plan`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ftctl.cli.options import Gpus, Json, Overrides, Strict


def register(app: typer.Typer) -> None:
    app.command("plan")(plan)


def plan(
    job_file: Annotated[Path, typer.Argument(metavar="JOB", help="The job file.")],
    overrides: Overrides = None,
    gpus: Gpus = None,
    strict: Strict = False,
    as_json: Json = False,
) -> None:
    """Show every value that ftctl derives for a job, and why.

    [bold]Examples[/bold]

    ftctl plan job.yaml

    ftctl plan job.yaml --gpus 0 --json
    """
    from ftctl.prepare import load_job, prepare
    from ftctl.record import to_record
    from ftctl.view.output import emit, table
    from ftctl.view.warnings import show_warnings

    made = prepare(load_job(job_file, tuple(overrides or ()), gpus), strict=strict)
    show_warnings(made)
    rows = [(choice.key, choice.value, choice.reason) for choice in made.choices]
    emit("plan", to_record(made), as_json=as_json, text=table(("key", "value", "why"), rows))
