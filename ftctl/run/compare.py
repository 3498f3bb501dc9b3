"""Two runs side by side: the job's keys, what was derived, what it ran on, and how it went."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftctl.errors import UsageError
from ftctl.run.directory import RunDir
from ftctl.run.state import RunState, state_of

# Where and how the job was written, not what it asks for.
_ASIDE = frozenset({"file", "source", "overrides", "places", "written", "shown", "silence"})
_RESULTS = ("result", "time")  # shown even where both runs have the same


@dataclass(frozen=True)
class Line:
    """One key of a section (job, plan, data, versions, result, time) in both runs; None: it has none."""

    section: str
    key: str
    a: Any
    b: Any


@dataclass(frozen=True)
class Comparison:
    """Two runs: every key in which they differ, and every figure of how they went."""

    a: RunState
    b: RunState
    lines: tuple[Line, ...]


def compared(one: Path, other: Path) -> Comparison:
    """Compare two runs. Raises UsageError where a run has no plan on record."""
    a, b = state_of(one), state_of(other)
    return Comparison(a, b, tuple(lines(_facts(RunDir(one), a), _facts(RunDir(other), b))))


def lines(a: Mapping[str, Mapping[str, Any]], b: Mapping[str, Mapping[str, Any]]) -> Iterator[Line]:
    """The keys in which two runs' sections differ, and all of those that tell how a run went."""
    for section in a:
        for key in dict.fromkeys((*a[section], *b[section])):
            line = Line(section, key, a[section].get(key), b[section].get(key))
            if line.a != line.b or section in _RESULTS:
                yield line


def differing(runs: Sequence[Path]) -> tuple[tuple[str, str, tuple[Any, ...]], ...]:
    """Section, key and value in each run of all keys in which not all agree; the first run's order.

    Raises UsageError where a run has no plan on record.
    """
    facts = [_facts(RunDir(run), state_of(run)) for run in runs]
    keys = dict.fromkeys((section, key) for one in facts for section in one for key in one[section])
    found = ((section, key, tuple(one[section].get(key) for one in facts)) for section, key in keys)
    return tuple(
        line for line in found if line[0] in _RESULTS or any(value != line[2][0] for value in line[2])
    )


def _facts(run: RunDir, state: RunState) -> dict[str, dict[str, Any]]:
    plan, identity = run.read_json("plan.json"), run.read_json("run.json")
    if not isinstance(plan, dict) or not isinstance(identity, dict):
        raise UsageError(f"the run {run.path.name} has no plan on record", f"look into {run.path}")
    job = {key: value for key, value in plan["job"].items() if key not in _ASIDE}
    return {
        "job": dict(flat(job)),
        "plan": {choice["key"]: choice["value"] for choice in plan["choices"]},
        "data": dict(identity.get("data") or {}),
        "versions": {"ftctl": identity.get("ftctl"), **_engines(identity.get("engines") or [])},
        **_course(run, state),
    }


def _engines(records: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        f"{record.get('name')} {key}": value
        for record in records
        for key, value in record.items()
        if key in ("variant", "version", "lock", "python") and value is not None
    }


def _course(run: RunDir, state: RunState) -> dict[str, dict[str, Any]]:
    """How a run went: its end and last figures, and the seconds that it and each of its stages took."""
    result: dict[str, Any] = {"state": state.state, "exit_code": state.exit_code, "step": state.step}
    result["loss"] = state.loss
    seconds: dict[str, Any] = {
        "total": None if state.ended is None else round(state.ended - state.created, 3)
    }
    metrics: dict[str, Any] = {}
    for event in run.events():
        if event.kind == "evaluation":
            metrics = {str(key): value for key, value in (event.data.get("metrics") or {}).items()}
        elif event.kind == "phase" and event.data.get("seconds") is not None:
            seconds[str(event.data.get("name"))] = event.data["seconds"]
        elif event.kind == "step" and event.data.get("tokens_per_second") is not None:
            result["tokens_per_second"] = event.data["tokens_per_second"]
    return {"result": {**result, **metrics}, "time": seconds}


def flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf of nested mappings and lists under its dotted key, such as data.train[0].path."""
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from flat(inner, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list) and value:
        for number, inner in enumerate(value):
            yield from flat(inner, f"{key}[{number}]")
    elif value is not None:
        yield key, value
