"""A job's gate held against what the job measures: each rule can be read, over a figure that there is."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ftctl.job.model import RETRIEVAL
from ftctl.job.suggest import nearest
from ftctl.job.view import Broken, Said, View
from ftctl.judge.gate import Malformed, Rule, parse
from ftctl.judge.model import FIGURES

# Seconds, counts, and scores out of 100: of these `70%` would not say what it seems to.
_NO_SHARES = ("latency", "requests_per_second", "tokens_per_second", "perplexity", "bleu", "chrf")


def gate(job: View) -> Broken:
    """What is wrong with each rule of `evaluate.gate`."""
    rules = job.get("evaluate.gate")
    if not isinstance(rules, Mapping) or job.wrong("train", "task"):
        return
    measured, why = _measured(job)
    for key, text in rules.items():
        path = ("evaluate", "gate", key)
        if not isinstance(text, str) or job.wrong(*path):
            continue
        said = _read(str(key), text, measured, why)
        if said is not None:
            yield path, said


def _measured(job: View) -> tuple[Collection[str], str]:
    """The figures that the job measures, and where there are none why."""
    if job.get("train.task") not in RETRIEVAL:
        return (), "only an embedder or a reranker is measured in this version"
    if not job.has("deploy"):
        return (), "nothing is served, so that nothing is measured: the job has no deploy block"
    if not job.has("data.eval"):
        return (), "there are no rows to measure it on: data.eval is not set"
    return FIGURES, ""


def _read(key: str, text: str, measured: Collection[str], why: str) -> Said | None:
    """What is wrong with one rule, and the way out."""
    try:
        rule = parse(key, text)
    except Malformed as error:
        return error.message, error.remedy
    if why:
        return f"cannot be judged: {why}", "remove the rule, or have it measured"
    if rule.figure not in measured:
        near = nearest(rule.figure, measured)
        told = f"did you mean {near}?" if near else f"the figures are {', '.join(measured)}"
        return f"there is no figure {rule.figure}", told
    return _percent(rule)


def _percent(rule: Rule) -> Said | None:
    if "%" in rule.text and rule.operator != "*" and rule.figure.startswith(_NO_SHARES):
        return f'"{rule.text}": {rule.figure} is no share of 1, which a % would be of', "write a plain number"
    return None
