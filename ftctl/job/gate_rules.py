"""A job's gate held against what the job measures: each rule can be read, over a figure that there is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ftctl.job.suggest import nearest
from ftctl.job.training import RETRIEVAL
from ftctl.job.view import Broken, Said, View
from ftctl.judge.asked import read_metrics
from ftctl.judge.gate import Malformed, Rule, parse
from ftctl.judge.metrics import METRICS, SPEED, figures_of
from ftctl.judge.model import FIGURES
from ftctl.judge.tasks import matches

SHARE = "0 to 1"


@dataclass(frozen=True)
class Measured:
    """The figures of a job by name, each with whether it is a share of 1; `why` says why there are none.

    `tasks` are those of lm-eval, whose figures are called task/metric. `base` says whether the base model is
    measured too, `paired` whether anything is, and `sure` whether these are all: not where some metric is
    written wrongly.
    """

    figures: Mapping[str, bool]
    tasks: tuple[Mapping[str, Any], ...] = ()
    base: bool = True
    paired: bool = True
    sure: bool = True
    why: str = ""


def gate(job: View) -> Broken:
    """What is wrong with each rule of `evaluate.gate`."""
    rules = job.get("evaluate.gate")
    if not isinstance(rules, Mapping) or job.wrong("train", "task"):
        return
    measured = _of_queries(job) if job.get("train.task") in RETRIEVAL else _of_answers(job)
    for key, text in rules.items():
        path = ("evaluate", "gate", str(key))
        if isinstance(text, str) and not job.wrong(*path) and (said := _read(str(key), text, measured)):
            yield path, said


def _of_queries(job: View) -> Measured:
    """What is measured of an embedder or a reranker: always beside its base."""
    held_out = job.has("data.eval") or job.wrong("data", "eval")
    why = "" if held_out else "there are no rows to measure on, for data.eval is not set"
    return Measured(dict.fromkeys(FIGURES, True), why=why)


def _of_answers(job: View) -> Measured:
    """What is measured of a language model: what `evaluate.metrics` asks for, and its speed."""
    given, compare = job.get("evaluate.metrics"), job.get("evaluate.compare")
    asked, wrong = read_metrics(list(given) if isinstance(given, list) else ["exact_match"])
    shares = {name: METRICS[one.metric].scale == SHARE for one in asked for name in one.figures.values()}
    sure = not wrong and not job.wrong("evaluate", "metrics") and not _within(job, "metrics")
    unsure = job.wrong("evaluate", "compare")
    figures = {name: shares.get(name, False) for name in figures_of(asked)}
    tasks = tuple(map(_as_task, job.get("evaluate.tasks") or ())) if not _within(job, "tasks") else ()
    sure = sure and not _within(job, "tasks")
    return Measured(figures, tasks, compare == "base" or unsure, compare is not None or unsure, sure)


def _as_task(written: Any) -> Mapping[str, Any]:
    """A task as it is asked for: its name, None for all of a folder."""
    if isinstance(written, str):
        return {"task": None if written.endswith("/") else written}
    return {"task": written.get("task") if isinstance(written, Mapping) else None}


def _within(job: View, key: str) -> bool:
    return any(path[:2] == ("evaluate", key) for path in job.bad)


def _read(key: str, text: str, measured: Measured) -> Said | None:
    """What is wrong with one rule, and the way out."""
    try:
        rule = parse(key, text)
    except Malformed as error:
        return error.message, error.remedy
    if measured.why:
        return f"cannot be judged: {measured.why}", "set it, or remove the rule"
    if rule.figure in measured.figures or matches(rule.figure, measured.tasks):
        return _wanting(rule, measured)
    return _unknown(rule, measured) if measured.sure else None


def _wanting(rule: Rule, measured: Measured) -> Said | None:
    """What a rule over a figure that there is wants besides, and has not."""
    if rule.other == "base" and not measured.base:
        return "stands by the base model, which is not measured", "set evaluate.compare: base"
    if rule.part.startswith("gain") and rule.figure not in measured.figures:
        return "is of a task of lm-eval, whose gain is not known", "hold the figure against base"
    if rule.part.startswith("gain") and not measured.paired:
        return "is a difference, and there is nothing to compare with", "set evaluate.compare: base"
    if "%" in rule.text and rule.operator != "*" and not measured.figures.get(rule.figure, True):
        return f'"{rule.text}": {rule.figure} is no share of 1, which a % would be of', "write a plain number"
    return None


def _unknown(rule: Rule, measured: Measured) -> Said:
    """A figure that is not measured: of a metric that is not asked for, misspelt, or none at all."""
    answers = measured.figures.keys() & SPEED.keys()
    of = {name: metric.name for metric in METRICS.values() for name in metric.figures} if answers else {}
    if rule.figure in of:
        return f"{rule.figure} is not measured", f"add {of[rule.figure]} to evaluate.metrics"
    near = nearest(rule.figure, measured.figures) or nearest(rule.figure, of)
    told = f"did you mean {near}?" if near else f"the figures are {', '.join(measured.figures)}"
    return f"there is no figure {rule.figure}", told
