"""What was measured of a model and of the one it was trained from, as `evaluation.json` keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

K = (1, 5, 10)  # passages that are looked at: recall at each, MRR and nDCG at the last
FIGURES = (*(f"recall@{count}" for count in K), f"mrr@{max(K)}", f"ndcg@{max(K)}")


@dataclass(frozen=True)
class Measured:
    """One model through its endpoint. `figures` are means over the queries, from 0 to 1.

    `server` says how it was served, `hashes` are its files' sha256, `key` stands for everything that the
    figures follow from, `reused_from` is the run that measured them where this one did not.
    """

    model: str
    figures: Mapping[str, float]
    server: Mapping[str, Any]
    hashes: Mapping[str, str]
    key: str
    seconds: float
    reused_from: str | None = None


@dataclass(frozen=True)
class Evaluation:
    """Held-out queries through the served endpoint.

    `test` is the sha256 of queries, passages and what is relevant; `seen_in_training` counts queries that
    were also trained on; `note` says why there is no base.
    """

    task: str
    queries: int
    passages: int
    test: str
    seen_in_training: int = 0
    k: tuple[int, ...] = K
    library: str = ""
    base: Measured | None = None
    tuned: Measured | None = None
    difference: Mapping[str, float] = field(default_factory=dict)
    note: str = ""


def difference(base: Measured | None, tuned: Measured) -> dict[str, float]:
    """By how much each figure rose; nothing where there is no base."""
    if base is None:
        return {}
    return {name: value - base.figures[name] for name, value in tuned.figures.items()}


def table_of(evaluation: Evaluation) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The columns and the rows of what was measured: one row a figure, base before tuned."""
    if evaluation.tuned is None:
        return (), []
    base, tuned = evaluation.base, evaluation.tuned
    if base is None:
        return ("", "tuned"), [(label(name), f"{value:.3f}") for name, value in tuned.figures.items()]
    compared: list[tuple[str, ...]] = [
        (label(name), f"{base.figures[name]:.3f}", f"{value:.3f}", _signed(evaluation.difference[name]))
        for name, value in tuned.figures.items()
    ]
    return ("", "base", "tuned", "difference"), compared


def _signed(value: float) -> str:
    return f"{round(value, 3) + 0.0:+.3f}"  # never -0.000


LABELS = {"recall": "Recall", "mrr": "MRR", "ndcg": "nDCG"}


def label(name: str) -> str:
    """A figure's name as the field writes it: `ndcg@10` is nDCG@10."""
    measure, _, cut = name.partition("@")
    return f"{LABELS.get(measure, measure)}@{cut}"


def said(evaluation: Evaluation) -> list[str]:
    """What goes with the table: how many, how they were searched, and what to mind."""
    among = (
        f"{evaluation.passages} passages"
        if evaluation.task == "embedding"
        else "the passages of each query's own row"
    )
    lines = [f"{evaluation.queries} held-out queries among {among}, through the served endpoint"]
    if evaluation.base is not None and evaluation.base.reused_from:
        lines.append(f"the base model's figures are those of run {evaluation.base.reused_from}")
    if evaluation.note:
        lines.append(f"the base model is not measured: {evaluation.note}")
    if evaluation.seen_in_training:
        lines.append(f"{evaluation.seen_in_training} of these queries were also trained on")
    return lines
