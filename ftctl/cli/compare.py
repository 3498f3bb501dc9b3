"""`ftctl compare`."""

from __future__ import annotations

from typing import Annotated

import typer

from ftctl.cli.options import Json


def register(app: typer.Typer) -> None:
    app.command("compare")(compare)


def compare(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="A B…",
            help="Runs, RUN:base, or folders of evaluations. One run alone: with its base.",
            show_default=False,
        ),
    ],
    metric: Annotated[
        str | None, typer.Option("--metric", metavar="FIGURE", help="The figure that ranks the examples.")
    ] = None,
    examples: Annotated[
        int, typer.Option("--examples", metavar="N", min=0, help="Examples of each pair that are shown.")
    ] = 4,
    as_json: Json = False,
) -> None:
    """Show what was measured of runs side by side, and what else differs between them.

    Each figure with its 95 % interval; beside the first, the others' differences, paired by row where all
    answered the same: how many rows are better, worse and the same, and those that changed most. Below, the
    keys in which their jobs and plans differ, and how each training went, also of runs that measured nothing.

    [bold]Examples[/bold]

    ftctl compare support-bot

    ftctl compare 20260101-120000-abcd 20260102-090000-efgh

    ftctl compare support-bot:base abcd efgh --metric rougeL --examples 10

    ftctl compare abcd efgh --json
    """
    from ftctl.judge.compare import compare as compared
    from ftctl.view.output import emit
    from ftctl.view.side_by_side import as_data, as_text

    found = compared(names, metric, examples)
    emit(
        "compare", as_data(found) if as_json else {}, as_json=as_json, text="" if as_json else as_text(found)
    )
