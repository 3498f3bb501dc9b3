"""`ftctl validate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ftctl.cli.options import Json, Offline, Overrides, Strict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ftctl.job.model import Job
    from ftctl.view.reports.model import Checked, Report

Format = Annotated[
    Literal["text", "json", "github", "sarif", "junit"],
    typer.Option("--format", help="How to say it; --json is short for --format json."),
]


def register(app: typer.Typer) -> None:
    app.command("validate")(validate)


def validate(
    paths: Annotated[
        list[Path], typer.Argument(metavar="FILE|FOLDER…", help="Job files and folders.", show_default=False)
    ],
    overrides: Overrides = None,
    form: Format = "text",
    strict: Strict = False,
    offline: Offline = False,
    as_json: Json = False,
) -> None:
    """Check job files, and say everything that is wrong at once.

    Nothing is started and no engine is needed. In a folder, every YAML file with model: and train: or
    deploy: is a job; others are passed over and counted. Exit code 0: every file is valid; 2: some are
    not.

    [bold]Examples[/bold]

    ftctl validate job.yaml

    ftctl validate configs

    ftctl validate configs/*.yaml --format github

    ftctl validate job.yaml --strict

    ftctl validate job.yaml --set train.learning_rate=2e-5
    """
    from ftctl.facts.asked import Asked
    from ftctl.view.counting import counting
    from ftctl.view.reports.model import Report

    files, skipped = _files(paths)
    asked, settings = Asked(), tuple(overrides or ())
    ask = {"asked": asked, "strict": strict, "offline": offline}
    checked = tuple(_checked(file, settings, ask) for file in counting(files, "checking"))
    report = Report(checked, skipped)
    _show(report, "json" if as_json else form)
    if len(report.valid) < len(report.files):
        raise typer.Exit(2)


def _files(paths: Iterable[Path]) -> tuple[list[Path], int]:
    """The files to check, each once, and how many in the folders were passed over."""
    from ftctl.errors import UsageError
    from ftctl.job.files import is_dir
    from ftctl.job.find import job_files

    files: dict[Path, Path] = {}
    skipped = 0
    for path in paths:
        found, others = job_files(path) if is_dir(path) else ([path], 0)
        if not found:
            raise UsageError(f"{path}: there is no job file in this folder", "name a file, or another folder")
        for file in found:
            files.setdefault(file.absolute(), file)
        skipped += others
    return list(files.values()), skipped


def _checked(file: Path, overrides: tuple[str, ...], ask: dict[str, Any]) -> Checked:
    """What there is to say of one file, with every check that needs no engine and no GPU."""
    from ftctl.errors import FtctlError, JobError, Problem, shown_text
    from ftctl.prepare import load_job, prepare
    from ftctl.view.reports.model import Checked
    from ftctl.view.scanning import scanning

    shown = shown_text(str(file))
    try:
        with scanning() as watch:
            plan = prepare(load_job(file, overrides, None), anywhere=True, watch=watch, **ask)
    except JobError as error:
        return Checked(shown, problems=error.problems)
    except FtctlError as error:
        return Checked(shown, problems=(Problem(shown, 0, 0, "", error.message, error.remedy, "engine"),))
    silenced = ", ".join(sorted({problem.rule for problem in plan.silenced}))
    summary = f"{_summary(plan.job)}, silencing {silenced}" if silenced else _summary(plan.job)
    return Checked(shown, plan.job.name, summary, plan.warnings, plan.notes)


def _show(report: Report, form: str) -> None:
    """The report on standard output; for people, what is wrong on standard error."""
    import sys
    from importlib import import_module

    from ftctl.view.output import say

    if form == "text":
        from ftctl.view.reports.text import problem_lines, valid_lines

        sys.stdout.write(valid_lines(report))
        sys.stdout.flush()
        sys.stderr.write(problem_lines(report))
    else:
        module = "as_json" if form == "json" else form
        sys.stdout.write(import_module(f"ftctl.view.reports.{module}").write(report, Path.cwd()))
    if form != "json" and report.verdict:
        say(f"ftctl: {report.verdict}")


def _summary(job: Job) -> str:
    """A job in a few words: `sft, lora, 4-bit, Qwen/Qwen3-0.6B, then served by vllm`."""
    words = [job.model.path]
    if job.train is not None:
        bits = [f"{job.train.quantization.bits}-bit"] if job.train.quantization else []
        # The method of an embedder follows from its model, unless it is written.
        known = job.train.trainer != "flagembedding" or "train.method" in job.written
        words = [job.train.task, *([job.train.method] if known else []), *bits, *words]
    if job.deploy is not None:
        engine = "" if job.deploy.engine == "auto" else f" by {job.deploy.engine}"
        words.append(f"{'then ' if job.train else ''}served{engine}")
    return ", ".join(words)
