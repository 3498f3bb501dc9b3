"""A run's records made a report: the summary on top, and the parts below it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath

from ftctl.report.measured import COST, Measure
from ftctl.report.model import BAD, GOOD, PLAIN, Badge, Block, Note, Report, Section, Tile
from ftctl.report.records import Records
from ftctl.report.sections import advice, data, job, judged, origin, served, training
from ftctl.report.series import clock, series
from ftctl.report.words import count, figure, moment
from ftctl.run.state import LIVE
from ftctl.view.progress import duration, size

# Each part in its order, and how one is named that the run has nothing of; None: it need not be told.
PARTS: tuple[tuple[Callable[[Records], Section | None], str | None], ...] = (
    (judged.verdict, "a gate's verdict (the job sets none, or it was not reached)"),
    (judged.figures, "figures (nothing was evaluated)"),
    (judged.examples, "examples"),
    (training.training, "curves (the training reported none)"),
    (training.cost, None),
    (advice.advice, None),
    (job.job, "the job"),
    (job.derived, "what was derived (the run has no plan that this version reads)"),
    (data.data, "data"),
    (training.attempts, None),
    (training.checkpoints, "checkpoints"),
    (served.served, "serving and parity (the job serves nothing)"),
    (origin.origin, None),
)


def report(records: Records, *, now: float, version: str, home: str = "") -> Report:
    """The report of a run. `now` is in seconds since the epoch; the folder `home` is written as ~, and what
    lies beside the job is written from there."""
    found = [(part(records), missing) for part, missing in PARTS]
    state = records.state
    return Report(
        title=state.name,
        subtitle=f"Run {state.id} · {moment(state.created)}",
        badges=tuple(_badges(records)),
        lead=_lead(records),
        tiles=tuple(_tiles(records)),
        summary=tuple(_summary(records)),
        sections=tuple(section for section, _ in found if section is not None),
        left_out=tuple(missing for section, missing in found if section is None and missing is not None),
        foot=f"Written by ftctl {version} on {moment(now)} from the run's own records.",
        folders=folders(records, home),
    )


def folders(records: Records, home: str) -> tuple[tuple[str, str], ...]:
    """The folder that the run and its job file lie in, as long as it is one of its own, and the home."""
    at_home = PurePosixPath(home) if len(home) > 1 else None
    named = [] if at_home is None else [(str(at_home), "~")]
    job = PurePosixPath(str(records.identity.get("job_file") or ""))
    if job.is_absolute():
        above = [place for place in job.parents if place in PurePosixPath(records.folder).parents]
        root = above[0]
        if len(root.parts) > 2 and (at_home is None or root not in (at_home, *at_home.parents)):
            return ((str(root), "."), *named)
    return tuple(named)


def _badges(records: Records) -> list[Badge]:
    state = records.state.state
    tone = GOOD if state == "SUCCEEDED" else BAD if state in ("FAILED", "LOST") else PLAIN
    badges = [Badge(state.lower() + (", so far" if state in LIVE else ""), tone)]
    if records.verdict is not None:
        met = bool(records.verdict.get("met"))
        badges.append(Badge("gate met" if met else "gate not met", GOOD if met else BAD))
    parity = (records.newest("deployment", state="ready") or {}).get("parity")
    if isinstance(parity, dict):
        good = not parity.get("differs")
        badges.append(Badge("served as trained" if good else "not served as trained", GOOD if good else BAD))
    return badges


def _lead(records: Records) -> str:
    """The run in a sentence or two."""
    plan, times = records.plan, clock(records.events)
    if plan is None or plan.job.train is None:
        return "This run trained nothing that it has on record."
    model = (
        plan.job.model.path.rstrip("/").rpartition("/")[2] if plan.job.model.local else plan.job.model.path
    )
    rows = sum(fact.rows for fact in plan.facts.train_data)
    words = f"{model}, trained with {plan.train.engine if plan.train else plan.job.train.trainer}"
    words += f" ({plan.job.train.task}, {job.method(plan)}) on {count(rows, 'row')}, on {job.devices(plan)}"
    if times:
        words += f": {count(times[-1][0], 'step')} in {duration(times[-1][1])}"
    return words + "."


def _summary(records: Records) -> list[Block]:
    """What ended the run early, and the figures with the greatest change."""
    state, blocks = records.state, list[Block]()
    if state.state in ("FAILED", "LOST", "STOPPED") and state.message:
        ended = records.newest("run", state="failed") or {}
        remedy = ended.get("remedy") or ""
        why = f" (diagnosis: {ended['diagnosis']})" if ended.get("diagnosis") else ""
        blocks.append(Note(f"{state.message}{why}{f'. {remedy}' if remedy else ''}", BAD))
    return blocks


def _tiles(records: Records) -> list[Tile]:
    """The main figures: what the model achieves, then what it took."""
    tiles = [_measured(one) for one in _main(records.measures)]
    for name, label in (("loss", "Training loss"), ("eval_loss", "Evaluation loss")):
        found = series(records.events, name)
        if found is not None:
            began = f"from {figure(found.y[0])}" if len(found.y) > 1 else ""
            tiles.append(Tile(label, figure(found.last), began))
    times = clock(records.events)
    if times:
        speed = series(records.events, "tokens_per_second")
        detail = f"{figure(training.median(speed.y))} tokens/s" if speed else count(times[-1][0], "step")
        tiles.append(Tile("Training time", duration(times[-1][1]), detail))
    used = series(records.events, "memory")
    if used is not None:
        tiles.append(Tile("Memory", size(max(used.y)), "at most"))
    return tiles


MAIN = 3  # figures that are shown on top
FIRST = ("ndcg@10", "recall@10", "mrr@10")  # of retrieval, before those at other cuts


def _main(found: tuple[Measure, ...]) -> list[Measure]:
    """The figures on top: quality before latency and throughput."""
    quality = [one for one in found if not one.name.startswith(COST)]
    return sorted(quality, key=lambda one: FIRST.index(one.name) if one.name in FIRST else len(FIRST))[:MAIN]


def _measured(one: Measure) -> Tile:
    value = figure(one.tuned.value) if one.tuned else "–"
    if one.base is None:
        return Tile(one.label, value, one.tuned.text if one.tuned and one.tuned.low is not None else "")
    tone = {True: GOOD, False: BAD, None: PLAIN}[one.gained]
    return Tile(one.label, value, f"base {figure(one.base.value)}, {one.change}", tone)
