"""`ftctl logs`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def register(app: typer.Typer) -> None:
    app.command("logs")(logs)


def logs(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A deployment or a run.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until it ends, or Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option("-n", "--lines", min=0, help="How many of the last lines.")] = 100,
) -> None:
    """Show the log of a deployment's server or of a run's engine.

    [bold]Examples[/bold]

    ftctl logs support-bot

    ftctl logs support-bot -f

    ftctl logs 20260101-120000-abcd -n 500
    """
    import contextlib
    import sys

    from ftctl.deployments import tail

    path, going_on = _find(name)
    text, end = tail.last_lines(path, lines)
    sys.stdout.write(text)
    sys.stdout.flush()
    if not follow:
        return
    with contextlib.suppress(KeyboardInterrupt):
        for piece in tail.follow(path, end, going_on):
            sys.stdout.write(piece)
            sys.stdout.flush()


def _find(name: str) -> tuple[Path, Callable[[], bool]]:
    """The log that `name` means, and whether more may still come."""
    from ftctl.deployments import store
    from ftctl.errors import UsageError
    from ftctl.run.find import lookup
    from ftctl.run.state import LIVE, standing

    entry = store.find(name) if store.NAME.fullmatch(name) else None
    if entry is not None:
        return entry.folder / store.LOG, lambda: store.lives(store.get(name))
    run = lookup(name)
    if run is None:
        raise UsageError(
            f"there is no deployment and no run called {name}", "ftctl ps --all and ftctl runs list them"
        )
    log = run / "engine.log"
    if not log.is_file():
        raise UsageError(f"the run {run.name} has no log yet", "try again in a moment")
    return log, lambda: standing(run) in LIVE
