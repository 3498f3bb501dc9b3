"""A run's gate held against what it measured: the verdict, recorded as `verdict.json`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftctl.errors import FtctlError, GateNotMet
from ftctl.judge.gate import Figure, Known, Rule, Ruled, judge, parse
from ftctl.judge.measured import Measurement, gains
from ftctl.judge.records import figure_of
from ftctl.record import to_record
from ftctl.run.directory import RunDir

VERDICT = "verdict.json"
Paired = Callable[[Measurement, Measurement, Iterable[str]], Mapping[str, Figure]]


@dataclass(frozen=True)
class Verdict:
    """Whether every rule was met, and what came of each.

    `hashes` are the sha256 of the model's files and `test` that of what it was asked: what the verdict is of.
    """

    rules: tuple[Ruled, ...]
    hashes: Mapping[str, str] = field(default_factory=dict)
    test: str = ""

    @property
    def met(self) -> bool:
        return all(rule.met for rule in self.rules)

    @property
    def record(self) -> dict[str, Any]:
        """As `verdict.json` holds it."""
        rules = [{**rule._asdict(), "why": rule.why or None} for rule in self.rules]
        of = {"hashes": dict(self.hashes), "test": self.test}
        return {"version": 1, "met": self.met, "rules": to_record(rules), "of": of}


def verdict(
    gate: Mapping[str, str],
    own: Measurement | None,
    find: Callable[[str], Measurement | str],
    *,
    hashes: Mapping[str, str] | None = None,
    compared: str = "base",
    paired: Paired = gains,
) -> Verdict:
    """Hold every rule of a gate against the model's own figures; None: it was not measured at all.

    `find` gives what was measured of `base` or `run:NAME`, or says why there is nothing; `compared` is the
    one that gains are against, and `paired` gives them for some figures. `hashes` are of the model's files.
    """
    rules = [parse(key, text) for key, text in gate.items()]
    if own is None:
        return Verdict(tuple(judge(rule, Known({}, {}, {})) for rule in rules), hashes or {})
    named = {rule.other for rule in rules if rule.other}
    wanted = {rule.figure for rule in rules if rule.part}
    gained = {rule.figure for rule in rules if rule.part.startswith("gain")}
    found = {name: find(name) for name in named | ({compared} if gained else set())}
    others = {name: one if isinstance(one, str) else _same(own, one, name) for name, one in found.items()}
    whole = [one for one in others.values() if not isinstance(one, str)]
    unscored = {figure: why for one in whole for figure, why in one.unscored.items()}
    beside = others.get(compared, "")
    known = Known(
        own.figures(wanted),
        {
            name: one if isinstance(one, str) else _scored(one, one.figures(()))
            for name, one in others.items()
        },
        beside if isinstance(beside, str) else _scored(beside, paired(own, beside, gained)),
        {**unscored, **own.missing},
    )
    return Verdict(tuple(judge(rule, known) for rule in rules), hashes or {}, own.test)


def recorded_gains(evaluations: Path) -> Paired:
    """The paired differences that a folder of evaluations records; else they are drawn from the rows."""
    record = RunDir(evaluations).read_json("comparison.json")
    if not isinstance(record, dict):
        return gains
    found = {name: figure_of(pair, "difference") for name, pair in (record.get("paired") or {}).items()}
    return lambda own, other, names: {name: figure for name, figure in found.items() if figure is not None}


def _same(own: Measurement, other: Measurement, name: str) -> Measurement | str:
    """The other where it answered the same test, else why it does not count."""
    if own.test != other.test:
        return f"{name} was measured on other rows, so that its figures say nothing about these"
    return f"{name} is no bar: {other.flaw}" if other.flaw else other


def _scored(other: Measurement, figures: Mapping[str, Figure]) -> dict[str, Figure]:
    """Those of the figures that the other has got a score for in every row."""
    return {name: figure for name, figure in figures.items() if name not in other.unscored}


def record(run: RunDir, found: Verdict) -> None:
    """Write the verdict with the run."""
    run.write_json(VERDICT, found.record)


def recorded(run: Path) -> Verdict | None:
    """The verdict of a run; None where it has none that can be read."""
    try:
        value = json.loads((run / VERDICT).read_text(encoding="utf-8"))
        rules = tuple(Ruled(**{name: rule.get(name) for name in Ruled._fields}) for rule in value["rules"])
        return Verdict(rules, dict(value["of"]["hashes"]), str(value["of"]["test"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def missed(found: Verdict) -> list[str]:
    """A sentence for each rule that was not met: the value, the bar, and by how much it was missed."""
    return [sentence(rule) for rule in found.rules if not rule.met]


def sentence(rule: Ruled) -> str:
    """`ndcg@10 is 0.512, 0.088 short of >= 0.6`; of a rule that stands by another figure also its bar."""
    if rule.value is None or rule.bar is None or rule.by is None:
        return f"{rule.metric} {rule.rule}: {rule.why or 'it was not measured'}"
    bar = "" if _plain(rule) else f" ({_number(rule.bar)})"
    by = f", {_number(abs(rule.by))} {'to spare' if rule.met else 'short'}"
    return f"{rule.metric} is {_number(rule.value)}{by}: {rule.rule}{bar}"


def _plain(rule: Ruled) -> bool:
    parsed: Rule = parse(rule.metric, rule.rule)
    return not parsed.other


def _number(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 1000 and (value == 0 or abs(value) >= 0.0005) else f"{value:.4g}"


def not_met(found: Verdict, remedy: str) -> GateNotMet:
    """The error of a gate that is not met: how each rule was missed."""
    return GateNotMet(f"the gate is not met: {'; '.join(missed(found))}", remedy)


def check_runs(gate: Mapping[str, str], find: Callable[[str], Measurement | str]) -> None:
    """Look hours before the verdict whether the runs that a gate names were measured. Raises FtctlError."""
    for key, text in gate.items():
        rule = parse(key, text)
        if rule.other.startswith("run:") and isinstance(why := find(rule.other), str):
            raise FtctlError(
                f"evaluate.gate.{key}: {why}", "name a run that was measured, or remove the rule"
            )
