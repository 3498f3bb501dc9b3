"""Runs as a table for people; thousands of them are drawn as quickly as a few."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from ftctl.run.state import RunState
from ftctl.view.progress import duration

HEAD = ("run", "name", "state", "started", "took", "step", "loss")
NDCG = "ndcg@10"


def run_list(runs: Sequence[RunState], now: float) -> str:
    """A line for every run under a head. `now` is in seconds since the epoch."""
    measured = {_name(run.evaluation["tuned"]) for run in runs if run.evaluation}
    shown = "nDCG@10" if measured == {NDCG} else "measured"
    head = (*HEAD, shown) if measured else HEAD
    rows = [head, *(_row(run, now, named=shown == "measured")[: len(head)] for run in runs)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    form = "  ".join(f"{{:<{width}}}" for width in widths)
    return "\n".join(form.format(*row).rstrip() for row in rows)


def _row(run: RunState, now: float, *, named: bool) -> tuple[str, ...]:
    started = time.strftime("%Y-%m-%d %H:%M", time.localtime(run.created))
    step = "" if run.step is None else f"{run.step}/{run.total_steps or '?'}"
    loss = f"{run.loss:.4f}" if isinstance(run.loss, int | float) else ""
    until = now if run.ended is None else run.ended
    lasted = run.took if run.took is not None else max(0.0, until - run.created)
    took = "" if run.state == "LOST" else duration(lasted)
    return (run.id, run.name, run.state, started, took, step, loss, _figure(run, named=named))


def _figure(run: RunState, *, named: bool) -> str:
    """The figure of the base model and that of the run's own, where they were measured."""
    if run.evaluation is None:
        return ""
    from ftctl.view.evaluated import number

    base, tuned = run.evaluation["base"] or {}, run.evaluation["tuned"]
    name = _name(tuned)
    before = f"{number(base[name])} → " if name in base else ""
    return f"{f'{name} ' if named else ''}{before}{number(tuned[name])}"


def _name(tuned: Mapping[str, float]) -> str:
    """The figure that is shown: nDCG of a retrieval, else the first that was asked for."""
    return NDCG if NDCG in tuned else next(iter(tuned))
