"""`ftctl plot`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ftctl.cli.options import Json, NoInstall


def register(app: typer.Typer) -> None:
    app.command("plot")(plot)


def plot(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Runs: ids, folders, or jobs' names.")],
    metrics: Annotated[
        list[str] | None,
        typer.Option("--metric", "-m", metavar="NAME", help="What to draw (default: loss); repeatable."),
    ] = None,
    by: Annotated[str, typer.Option("--by", metavar="step|time", help="What stands below.")] = "step",
    smooth: Annotated[
        int,
        typer.Option("--smooth", metavar="N", min=1, help="The mean of N points around each; 1: as logged."),
    ] = 1,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Draw into a file: .svg or .png.")
    ] = None,
    no_install: NoInstall = False,
    as_json: Json = False,
) -> None:
    """Draw the curves of runs in the terminal, or into a picture.

    What can be drawn: loss, eval_loss, learning_rate, grad_norm, tokens_per_second, samples_per_second,
    memory. A run that was taken up again is one line, each step in it once; --by time counts the time of
    training without the pauses. The judge's environment draws, and is installed where it is missing; --json
    gives the numbers without it.

    [bold]Examples[/bold]

    ftctl plot support-bot

    ftctl plot abcd efgh --metric eval_loss --by time

    ftctl plot support-bot --smooth 25 --output curves.svg
    """
    from ftctl.errors import UsageError
    from ftctl.report.plot import as_data, curves, picture
    from ftctl.report.series import BY
    from ftctl.run.find import find
    from ftctl.view.installing import ready_engine
    from ftctl.view.output import emit, say

    if by not in BY:
        raise UsageError(f"--by {by}: nothing stands below like that", f"choose one of: {', '.join(BY)}")
    found, missing = curves([find(run) for run in runs], metrics or ["loss"], by)
    for sentence in missing:
        say(sentence)
    data = as_data(found, by, smooth) if as_json else {}
    text = ""
    if output is not None:
        python = ready_engine("judge", "cpu", install=not no_install).python
        for note in picture(found, output, python, by=by, window=smooth):
            say(note)
        data, text = {**data, "file": str(output)}, str(output)
    elif not as_json:
        from ftctl.report.plot import in_terminal

        python = ready_engine("judge", "cpu", install=not no_install).python
        size, colour = _terminal()
        text = in_terminal(found, python, by=by, window=smooth, size=size, colour=colour)
    emit("plot", data, as_json=as_json, text=text)


def _terminal() -> tuple[tuple[int, int], bool]:
    """How wide and high a drawing is, and whether it has colours."""
    import os
    import shutil
    import sys

    width, height = shutil.get_terminal_size((100, 30))
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return (max(40, min(width, 160)), max(12, min(height - 4, 30))), colour
