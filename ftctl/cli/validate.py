"""`ftctl validate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ftctl.cli.options import Json, Overrides, Strict

if TYPE_CHECKING:
    from ftctl.job.model import Job
    from ftctl.plan.model import Plan


def register(app: typer.Typer) -> None:
    app.command("validate")(validate)


def validate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Job files.", show_default=False)],
    overrides: Overrides = None,
    strict: Strict = False,
    as_json: Json = False,
) -> None:
    """Check job files, and say everything that is wrong at once.

    Nothing is started and no engine is needed. Exit code 0: every file is valid; 2: some are not.

    [bold]Examples[/bold]

    ftctl validate job.yaml

    ftctl validate configs/*.yaml --json

    ftctl validate job.yaml --strict

    ftctl validate job.yaml --set train.learning_rate=2e-5
    """
    from ftctl.errors import JobError, Problem
    from ftctl.view.output import emit
    from ftctl.view.warnings import listed, show_warnings

    valid: list[Plan] = []
    problems: list[Problem] = []
    for file in files:
        try:
            valid.append(_checked(file, tuple(overrides or ()), strict=strict))
        except JobError as error:
            problems += error.problems
    rows = [
        {
            "file": plan.job.shown,
            "name": plan.job.name,
            "summary": _summary(plan.job),
            "warnings": listed(plan.warnings),
            "silenced": listed(plan.silenced),
        }
        for plan in valid
    ]
    for plan in valid:
        show_warnings(plan)
    if rows and not (as_json and problems):
        text = "\n".join(f"{row['file']}: valid ({row['summary']})" for row in rows)
        emit("validate", {"jobs": rows}, as_json=as_json, text=text)
    if problems:
        raise JobError(problems)


def _checked(file: Path, overrides: tuple[str, ...], *, strict: bool) -> Plan:
    """The plan of the job in `file`, with every check that needs no engine and no GPU."""
    from ftctl.job.load import load
    from ftctl.prepare import prepare

    return prepare(load(file, overrides), anywhere=True, strict=strict)


def _summary(job: Job) -> str:
    """A job in a few words: `sft, lora, 4-bit, Qwen/Qwen3-0.6B, then served by vllm`."""
    words = [job.model.path]
    if job.train is not None:
        bits = [f"{job.train.quantization.bits}-bit"] if job.train.quantization else []
        words = [job.train.task, job.train.method, *bits, *words]
    if job.deploy is not None:
        engine = "" if job.deploy.engine == "auto" else f" by {job.deploy.engine}"
        words.append(f"{'then ' if job.train else ''}served{engine}")
    return ", ".join(words)
