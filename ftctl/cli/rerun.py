"""`ftctl rerun`."""

from __future__ import annotations

from typing import Annotated

import typer

from ftctl.cli.options import Detach, Gpus, Json, NoInstall, Offline, Overrides, RunsDir, Strict


def register(app: typer.Typer) -> None:
    app.command("rerun")(rerun)


def rerun(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's id, its folder, or its job's name.")],
    overrides: Overrides = None,
    gpus: Gpus = None,
    runs_dir: RunsDir = None,
    strict: Strict = False,
    no_install: NoInstall = False,
    offline: Offline = False,
    detach: Detach = False,
    as_json: Json = False,
) -> None:
    """Run a run's job again, as it was submitted: a new run, of the run's own copy of the job.

    What was set on the command line then is set again, and --set adds to it. Whatever has become of the job
    file, its copy counts; its relative paths are still those of the folder where the job file was. The new
    run is kept beside the old one.

    [bold]Examples[/bold]

    ftctl rerun support-bot

    ftctl rerun 20260101-120000-abcd --set train.learning_rate=5e-5 --detach
    """
    from ftctl.run.find import find
    from ftctl.run.submitted import submitted
    from ftctl.train import run_job

    old = find(run)
    job = submitted(old)
    run_job(
        job.copy,
        (*job.overrides, *(overrides or ())),
        gpus,
        runs_dir or old.parent.parent,
        strict=strict,
        install=not no_install,
        offline=offline,
        as_json=as_json,
        detach=detach,
        origin=job.file,
    )
