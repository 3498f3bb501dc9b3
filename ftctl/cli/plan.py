"""`ftctl plan`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ftctl.cli.options import Gpus, Json, Overrides


def register(app: typer.Typer) -> None:
    app.command("plan")(plan)


def plan(
    job_file: Annotated[Path, typer.Argument(metavar="JOB", help="The job file.")],
    overrides: Overrides = None,
    gpus: Gpus = None,
    as_json: Json = False,
) -> None:
    """Show every value that ftctl derives for a job, and why.

    [bold]Examples[/bold]

    ftctl plan job.yaml

    ftctl plan job.yaml --gpus 0 --json
    """
    from ftctl.job.load import load
    from ftctl.prepare import prepare
    from ftctl.record import to_record
    from ftctl.run.whole import gpus_override
    from ftctl.view.output import emit, table

    more = (f"resources.gpus={gpus_override(gpus)}",) if gpus is not None else ()
    made = prepare(load(job_file, (*(overrides or ()), *more)))
    rows = [(choice.key, choice.value, choice.reason) for choice in made.choices]
    emit("plan", to_record(made), as_json=as_json, text=table(("key", "value", "why"), rows))
