"""`ftctl plan`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ftctl.cli.options import Gpus, Json, Offline, Overrides, Strict

if TYPE_CHECKING:
    from ftctl.plan.model import Plan


def register(app: typer.Typer) -> None:
    app.command("plan")(plan)


def plan(
    job_file: Annotated[Path, typer.Argument(metavar="JOB", help="The job file.")],
    overrides: Overrides = None,
    gpus: Gpus = None,
    strict: Strict = False,
    offline: Offline = False,
    check_template: Annotated[
        bool,
        typer.Option(
            "--check-template",
            help="Ask the training engine too whether a server could see what would be trained.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Show every value that ftctl derives for a job, and why.

    With --check-template the engine, which has to be installed, encodes conversations as for the training
    (ten seconds). ftctl train does the same before it loads the weights.

    [bold]Examples[/bold]

    ftctl plan job.yaml

    ftctl plan job.yaml --gpus 0 --json

    ftctl plan job.yaml --check-template
    """
    from ftctl.prepare import load_job, prepare
    from ftctl.record import to_record
    from ftctl.view.output import emit, table
    from ftctl.view.scanning import scanning
    from ftctl.view.warnings import show_warnings

    with scanning() as watch:
        job = load_job(job_file, tuple(overrides or ()), gpus)
        made = prepare(job, watch=watch, strict=strict, offline=offline)
    show_warnings(made)
    rows = [(choice.key, choice.value, choice.reason) for choice in made.choices]
    text, data = table(("key", "value", "why"), rows), to_record(made)
    if made.notes:
        from ftctl.advice.told import as_data

        data["notes"] = [as_data(note) for note in made.notes]
    if check_template:
        data["template"] = _template(made)
    emit("plan", data, as_json=as_json, text=text)


def _template(plan: Plan) -> dict[str, Any]:
    """Whether a server could see what would be trained, said on standard error.

    Raises FtctlError where it could not and the job's deployment would be stopped for it.
    """
    from ftctl.errors import FtctlError, Missing
    from ftctl.events import Event
    from ftctl.run.template import examined, verdict
    from ftctl.view.output import say
    from ftctl.view.progress import sentence

    engine, deploy = plan.facts.trainer, plan.job.deploy
    if engine is not None and not engine.installed:
        raise Missing(
            f"{engine.name} is not installed, and its own code says what it trains",
            f"ftctl engines install {engine.name}",
        )
    found = verdict(examined(plan))
    line = sentence(Event("template", 0.0, found)) or ""
    if found["state"] == "unlike" and deploy is not None and deploy.parity == "fail":
        raise FtctlError(line.removeprefix("warning: "), "set another model.template, or deploy.parity: warn")
    say(line)
    return found
