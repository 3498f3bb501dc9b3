"""`ftctl train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ftctl.cli.options import Detach, Gpus, Json, NoInstall, Offline, Overrides, RunsDir, Strict, Wait


def register(app: typer.Typer) -> None:
    app.command("train")(train)


def train(
    job_file: Annotated[Path, typer.Argument(metavar="JOB", help="The job file.")],
    overrides: Overrides = None,
    gpus: Gpus = None,
    runs_dir: RunsDir = None,
    strict: Strict = False,
    no_install: NoInstall = False,
    offline: Offline = False,
    detach: Detach = False,
    wait: Wait = False,
    as_json: Json = False,
) -> None:
    """Run a whole job: check, plan, train, verify, and serve where the job says so.

    Follows the run until it ends. Ctrl-C asks it to save a checkpoint and stop; closing the terminal does
    not end it. The exit code is the run's own. With --detach it returns as soon as the run is launched, and
    `ftctl watch` shows it from any shell. An embedder or a reranker with held-out rows (data.eval) is
    measured through its deployment, its base model before it, and a table of both ends what is shown.

    The run holds its GPUs until its engine has ended. GPUs that another run or deployment holds are refused
    (exit code 4), or queued for with --wait.

    [bold]Examples[/bold]

    ftctl train configs/demo/ftctl-qa.yaml

    ftctl train job.yaml --set train.learning_rate=2e-5 --gpus 0,1

    ftctl train job.yaml --gpus 2 --wait

    ftctl train job.yaml --json

    ftctl train job.yaml --detach
    """
    from ftctl.train import run_job

    run_job(
        job_file,
        tuple(overrides or ()),
        gpus,
        runs_dir,
        strict=strict,
        install=not no_install,
        offline=offline,
        wait=wait,
        as_json=as_json,
        detach=detach,
    )
