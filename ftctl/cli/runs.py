"""`ftctl runs`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ftctl.cli.options import Json, States

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ftctl.run.state import RunState

SHOWN = 100  # runs, where nothing else is asked for


def register(app: typer.Typer) -> None:
    group = typer.Typer(invoke_without_command=True)
    group.callback()(runs)
    group.command("compare")(compare)
    app.add_typer(group, name="runs")


def runs(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Only the runs of this job.")
    ] = None,
    states: States = None,
    last: Annotated[
        int | None,
        typer.Option(
            "--last", "-n", metavar="N", min=1, help="Only the newest N (default: 100; with --json all)."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the runs on this machine, the newest last.

    Runs under ./runs (or $FTCTL_RUNS) are found even where this machine has never heard of them. A state is
    one of: PENDING, RUNNING, STOPPING, STOPPED, SUCCEEDED, FAILED, LOST (it ended and could not say how).

    [bold]Examples[/bold]

    ftctl runs

    ftctl runs --name support-bot --state failed

    ftctl runs --json
    """
    if context.invoked_subcommand is None:
        _list(name, states or (), last, as_json=as_json)


def _list(name: str | None, states: Sequence[str], last: int | None, *, as_json: bool) -> None:
    import sys

    from ftctl.run.index import listed, records
    from ftctl.run.state import checked
    from ftctl.view.output import emit, envelope_of

    wanted = checked(states)
    if as_json:
        sys.stdout.write(envelope_of("runs", "runs", records(name, wanted, last)) + "\n")
        return
    most = last or SHOWN
    found = listed(name, wanted, most + 1)
    text = _text(found[-most:], filtered=bool(name or states))
    older = f"\nolder ones are not shown: ftctl runs --last {10 * most}" if len(found) > most else ""
    emit("runs", {}, as_json=False, text=text + older)


def _text(shown: Sequence[RunState], *, filtered: bool) -> str:
    import time

    from ftctl.view.run_list import run_list

    if shown:
        return run_list(shown, time.time())
    return "there is no such run" if filtered else "no runs yet: ftctl train JOB begins one"


def compare(
    one: Annotated[str, typer.Argument(metavar="A", help="A run's id, its folder, or its job's name.")],
    other: Annotated[str, typer.Argument(metavar="B", help="The run beside it.")],
    as_json: Json = False,
) -> None:
    """Show two runs side by side: where their jobs and plans differ, and how each of them went.

    [bold]Examples[/bold]

    ftctl runs compare 20260101-120000-abcd 20260102-090000-efgh

    ftctl runs compare abcd efgh --json
    """
    from ftctl.run.compare import compared
    from ftctl.run.find import find
    from ftctl.view.compared import as_data, as_text
    from ftctl.view.output import emit

    result = compared(find(one), find(other))
    text = "" if as_json else as_text(result)
    emit("runs compare", as_data(result) if as_json else {}, as_json=as_json, text=text)
