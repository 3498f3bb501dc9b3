"""`ftctl report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ftctl.cli.options import Json, NoInstall


def register(app: typer.Typer) -> None:
    app.command("report")(report)


def report(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's id, its folder, or its job's name.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            help="A file in .html or .md, or a folder for both (default: the run's).",
        ),
    ] = None,
    examples: Annotated[
        int, typer.Option("--examples", metavar="N", min=0, help="How many questions with answers are shown.")
    ] = 12,
    no_charts: Annotated[
        bool, typer.Option("--no-charts", help="Write it without charts, and install nothing.")
    ] = False,
    open_it: Annotated[bool, typer.Option("--open", help="Show the page in a browser.")] = False,
    no_install: NoInstall = False,
    as_json: Json = False,
) -> None:
    """Write a run's report: one HTML page that needs no network, and the same as Markdown.

    It has the job, every derived value with its reason, the data, curves, speed and memory, checkpoints,
    parity, figures with intervals beside the base model's, examples, the gate's verdict, versions and hashes,
    as far as the run has them. A run that still goes on is told as it stands. A file that is there already is
    replaced whole. The charts are drawn in the judge's environment, which is installed where it is missing.

    The home folder is written as ~, and a job holds no secrets; examples are the data's own: --examples 0
    leaves them out.

    [bold]Examples[/bold]

    ftctl report support-bot

    ftctl report 20260101-120000-abcd --output support-bot.html --open

    ftctl report support-bot --output reports/ --json
    """
    import os
    import time

    from ftctl.report.write import targets, write
    from ftctl.run.find import find
    from ftctl.view.installing import ready_engine
    from ftctl.view.output import emit, say

    folder = find(run)
    files = targets(folder, output)
    python = None if no_charts else ready_engine("judge", "cpu", install=not no_install).python
    home = os.environ.get("HOME", "")
    done = write(folder, files, python, now=time.time(), examples=examples, home=home)
    for note in done.notes:
        say(note)
    data = {"files": [str(file) for file in done.files], "left_out": list(done.report.left_out)}
    shown = [str(file) for file in done.files if file.suffix in (".html", ".md")]
    emit("report", data, as_json=as_json, text="\n".join(shown))
    if open_it:
        _open(done.files[0])


def _open(file: Path) -> None:
    import webbrowser

    from ftctl.view.output import say

    if not webbrowser.open(file.absolute().as_uri()):
        say(f"no browser could be started; the page is {file}")
