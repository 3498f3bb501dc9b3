"""What was measured of a language model's answers, as a table for people."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ftctl.judge.evaluate import BASE, FIGURES, REQUEST, TUNED, read


def evaluated(place: Path, other: Path | None = None, name: str = BASE) -> str:
    """The figures of a run's evaluation with their intervals, beside those of `other` (else of its
    base, where it was evaluated), and what goes with them. Empty where nothing was evaluated."""
    own = read(place / TUNED / FIGURES)
    if not own:
        return ""
    beside = read((other or place / BASE) / FIGURES)
    lines = _aligned(list(_rows(own["figures"], beside.get("figures") or {}, name)))
    return "\n".join([*lines, *_said(place, own, beside, name)])


def _rows(own: Mapping[str, Any], beside: Mapping[str, Any], name: str) -> list[tuple[str, ...]]:
    head = ("", "value", "95 % interval", *((name, "difference") if beside else ()))
    rows: list[tuple[str, ...]] = [head]
    for metric, figure in own.items():
        row = [label(metric), number(figure["value"]), _interval(figure)]
        if beside:
            before = (beside.get(metric) or {}).get("value")
            row += (
                ["", ""] if before is None else [number(before), number(figure["value"] - before, sign=True)]
            )
        rows.append(tuple(row))
    return rows


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    shown = [
        [
            f"{row[0]:{widths[0]}}",
            *(f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True)),
        ]
        for row in rows
    ]
    return [f"  {'  '.join(cells)}".rstrip() for cells in shown]


def _interval(figure: Mapping[str, Any]) -> str:
    low, high = figure.get("low"), figure.get("high")
    return "" if low is None or high is None else f"{number(low)} to {number(high)}"


def label(metric: str) -> str:
    """A figure's name with its unit, where it has one."""
    return f"{metric} (s)" if metric.startswith("latency_") else metric


def number(value: float, *, sign: bool = False) -> str:
    """A figure in so many digits as can be read."""
    rounded = round(value, 3) + 0.0  # never -0.000
    plus = "+" if sign else ""
    return f"{rounded:{plus}.3f}" if abs(value) < 1000 else f"{value:{plus},.0f}"


def _said(place: Path, own: Mapping[str, Any], beside: Mapping[str, Any], name: str) -> list[str]:
    """How many answers there are, what of them counts as the worst, and the notes."""
    answers = own.get("answers") or {}  # none, where tasks alone were asked
    lines = [f"  {answers_line(answers)}"] if answers else []
    if beside and (bad := answers_line(beside.get("answers") or {}, only_bad=True)):
        lines.append(f"  of {'the base model' if name == BASE else name}: {bad}")
    reused = read(place / BASE / REQUEST).get("reused_from")
    if reused:
        lines.append(f"  the base model's answers are those of run {reused}")
    notes = list(own.get("notes") or ())
    gone = [f"no {name}: {why}" for name, why in (own.get("missing") or {}).items() if why not in notes]
    return [*lines, *(f"  {note}" for note in [*gone, *notes])]


def answers_line(answers: Mapping[str, Any], *, only_bad: bool = False) -> str:
    """`198 of 200 questions answered; 1 failed and 1 was empty, which count as the worst; 3 were cut`."""
    asked, answered = answers.get("asked", 0), answers.get("answered", 0)
    worst = [f"{answers[kind]:,} {word}" for kind, word in _WORST if answers.get(kind)]
    parts = [] if only_bad else [f"{answered:,} of {asked:,} questions answered"]
    if worst:
        parts.append(f"{' and '.join(worst)}, which count as the worst")
    if answers.get("cut"):
        parts.append(f"{answers['cut']:,} cut at the longest answer")
    return "; ".join(parts)


_WORST = (("errors", "without an answer"), ("empty", "empty"))
