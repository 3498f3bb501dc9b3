"""How the training went: its curves, what it took, the attempts it needed, and its checkpoints."""

from __future__ import annotations

from ftctl.events import Event
from ftctl.report.curves import CHARTS, caption, shown
from ftctl.report.model import BAD, Block, Chart, Facts, Note, Section, Table
from ftctl.report.records import Records
from ftctl.report.series import clock, resumed_at, series
from ftctl.report.words import count, figure, moment
from ftctl.run.curve import curve
from ftctl.view.progress import duration, size


def training(records: Records) -> Section | None:
    """The curves, joined through all attempts, and the last figures."""
    events = records.events
    resumed = resumed_at(events)
    charts = tuple(Chart(one.name, one.title, caption(one, resumed)) for one in CHARTS if shown(events, one))
    lost = [
        f"{count(found.lost, 'value')} of {name} were no number and are not drawn"
        for name in ("loss", "grad_norm")
        if (found := series(events, name)) is not None and found.lost
    ]
    warned = dict.fromkeys(str(event.data.get("message", "")) for event in events if event.kind == "warning")
    blocks: tuple[Block, ...] = (
        *(Note(text, BAD) for text in (*lost, *warned) if text),
        *charts,
        *_evaluations(events),
    )
    return Section("training", "Training", blocks) if blocks else None


def _evaluations(events: tuple[Event, ...]) -> tuple[Block, ...]:
    """The evaluations made in training, the last twelve: a column for each figure."""
    found = curve(events, "evaluation")
    names = list(dict.fromkeys(name for event in found for name in event.data.get("metrics") or {}))
    shown = [
        name for name in names if name.startswith("eval_") and not name.endswith(("_runtime", "_per_second"))
    ]
    if not shown:
        return ()
    rows = tuple(
        (str(event.data.get("step", "")), *(_number(event.data["metrics"].get(name)) for name in shown))
        for event in found[-12:]
        if event.data.get("metrics")
    )
    return (Table(("step", *shown), rows, numbers=frozenset(range(len(shown) + 1))),)


def _number(value: object) -> str:
    return figure(value) if isinstance(value, int | float) else "–"


def cost(records: Records) -> Section | None:
    """Time, speed and memory: where the seconds went."""
    blocks: list[Block] = []
    facts = list(_speed(records))
    if facts:
        blocks.append(Facts(tuple(facts)))
    stages = _stages(records.events)
    if stages:
        blocks.append(Facts(stages))
    return Section("cost", "Speed and memory", tuple(blocks)) if blocks else None


def _stages(events: tuple[Event, ...]) -> tuple[tuple[str, str], ...]:
    """The seconds of each stage of the run, those of all its attempts together."""
    seconds: dict[str, float] = {}
    for event in events:
        spent = event.data.get("seconds")
        if event.kind == "phase" and isinstance(spent, int | float):
            name = f"Stage: {event.data.get('name')}"
            seconds[name] = seconds.get(name, 0.0) + spent
    return tuple((name, duration(spent)) for name, spent in seconds.items())


def _speed(records: Records) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    times = clock(records.events)
    if times:
        rows.append(("Training time", duration(times[-1][1])))
        rows.append(("Steps", f"{times[-1][0]:,}"))
    for name, label in (("tokens_per_second", "Tokens/s"), ("samples_per_second", "Samples/s")):
        found = series(records.events, name)
        if found is not None:
            rows.append((label, f"{figure(median(found.y))} (median), {figure(max(found.y))} at most"))
    used = series(records.events, "memory")
    if used is not None:
        rows.append(("Memory", f"{size(max(used.y))} at most"))
    plan = records.plan
    if plan is not None:
        machine = plan.facts.machine
        rows.append(("Machine", f"{count(machine.cpus, 'core')}, {size(machine.memory)} of memory"))
    return rows


def median(values: tuple[float, ...]) -> float:
    """The middle one of the values."""
    return sorted(values)[len(values) // 2]


def attempts(records: Records) -> Section | None:
    """How often the run was taken up, after what, and from where; nothing of a run that went in one go."""
    if not records.ended:
        return None
    rows = []
    begun = {event.data.get("number"): event for event in records.events if event.kind == "attempt"}
    for number, ended in enumerate((*records.ended, _end(records)), 1):
        event = begun.get(number)
        place = "the beginning"
        if event is not None:
            place = str(event.data.get("checkpoint") or event.data.get("phase") or "")
        at = ended.get("ended")
        rows.append(
            (
                str(number),
                place,
                str(ended.get("state", "")),
                moment(at) if isinstance(at, int | float) else "–",
                str(ended.get("message") or ""),
            )
        )
    table = Table(("attempt", "from", "ended", "when", "why"), tuple(rows), frozenset({0}))
    words = "The curves hold each step once: what an attempt lost and the next did again is left out."
    return Section("attempts", "Attempts", (table, Note(words)))


def _end(records: Records) -> dict[str, object]:
    state = records.state
    return {"state": state.state, "ended": state.ended, "message": state.message}


def checkpoints(records: Records) -> Section | None:
    """The checkpoints that are kept, and whether each is whole; how many were written."""
    written = len(curve(records.events, "checkpoint"))
    if not records.checkpoints and not written:
        return None
    kept = tuple((one.path.name, f"{one.step:,}", one.fault or "whole") for one in records.checkpoints)
    blocks: list[Block] = []
    if kept:
        blocks.append(Table(("checkpoint", "step", "now"), kept, frozenset({1}), frozenset({0})))
    blocks.append(Note(f"{count(written, 'checkpoint')} written, {len(kept):,} kept."))
    return Section("checkpoints", "Checkpoints", tuple(blocks), open=False)
