"""`ftctl runs`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ftctl.cli.options import Json

if TYPE_CHECKING:
    from ftctl.run.state import RunState


NDCG = "ndcg@10"


def register(app: typer.Typer) -> None:
    app.command("runs")(runs)


def runs(
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Only the runs of this job.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the runs on this machine, the newest last.

    Runs under ./runs (or $FTCTL_RUNS) are found even where this machine has never heard of them.

    [bold]Examples[/bold]

    ftctl runs

    ftctl runs --name support-bot

    ftctl runs --json
    """
    import time

    from ftctl import registry
    from ftctl.run.find import known_runs, runs_root
    from ftctl.run.state import state_of
    from ftctl.view.output import emit, table

    registry.rebuild([runs_root()])
    found = [(directory, state_of(directory)) for directory in known_runs()]
    listed = sorted(
        (pair for pair in found if name in (None, pair[1].name)), key=lambda pair: pair[1].created
    )
    if as_json:
        emit("runs", {"runs": [_record(directory, run) for directory, run in listed]}, as_json=True, text="")
    elif not listed:
        emit("runs", {}, as_json=False, text="no runs yet: ftctl train JOB begins one")
    else:
        now = time.time()
        columns = ["run", "name", "state", "started", "took", "step", "loss"]
        rows = [_row(run, now) for _, run in listed]
        measured = [_measured(directory) for directory, _ in listed]
        if any(measured):
            columns.append("nDCG@10")
            rows = [(*row, figure) for row, figure in zip(rows, measured, strict=True)]
        emit("runs", {}, as_json=False, text=table(columns, rows))


def _record(directory: Path, run: RunState) -> dict[str, Any]:
    return {
        "id": run.id,
        "name": run.name,
        "state": run.state,
        "created": run.created,
        "ended": run.ended,
        "step": run.step,
        "total_steps": run.total_steps,
        "loss": run.loss,
        "evaluation": _evaluation(directory),
        "directory": str(directory),
    }


def _evaluation(directory: Path) -> dict[str, Any] | None:
    from ftctl.run.directory import RunDir
    from ftctl.view.comparison import as_data, evaluation_of

    evaluation = evaluation_of(RunDir(directory))
    return None if evaluation is None else as_data(evaluation)


def _measured(directory: Path) -> str:
    """The figure of the base model and that of the run's own, where rows were held out."""
    found = _evaluation(directory)
    if found is None:
        return ""
    before = f"{found['base'][NDCG]:.3f} → " if found["base"] else ""
    return f"{before}{found['tuned'][NDCG]:.3f}"


def _row(run: RunState, now: float) -> tuple[str, ...]:
    import time

    from ftctl.view.progress import duration

    started = time.strftime("%Y-%m-%d %H:%M", time.localtime(run.created))
    step = "" if run.step is None else f"{run.step}/{run.total_steps or '?'}"
    loss = "" if run.loss is None else f"{run.loss:.4f}"
    took = duration(max(0.0, (run.ended or now) - run.created))
    return (run.id, run.name, run.state, started, took, step, loss)
