"""`ftctl resume`."""

from __future__ import annotations

from typing import Annotated

import typer

from ftctl.cli.options import Detach, Json, NoInstall, Overrides, Strict, Wait


def register(app: typer.Typer) -> None:
    app.command("resume")(resume)


def resume(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="The run: its id, its folder, or its job's name.")
    ],
    overrides: Overrides = None,
    strict: Strict = False,
    no_install: NoInstall = False,
    detach: Detach = False,
    wait: Wait = False,
    as_json: Json = False,
) -> None:
    """Go on with a run that was stopped, failed or was lost, from its last whole checkpoint.

    The run keeps its directory, its id and its loss curve. A checkpoint that is not whole is set aside. A
    run whose training is done goes on with what failed after it. What cannot change while a run goes on
    (model, data, seed, batch size and the like) is refused. It takes the run's own GPUs again: where they are
    held it is refused (exit code 4), or queues for them with --wait.

    [bold]Examples[/bold]

    ftctl resume 20260101-120000-abcd

    ftctl resume support-bot --set train.epochs=5

    ftctl resume support-bot --set deploy.port=8001 --detach
    """
    from ftctl.resume import resume_run

    resume_run(
        run,
        tuple(overrides or ()),
        strict=strict,
        install=not no_install,
        detach=detach,
        wait=wait,
        as_json=as_json,
    )
