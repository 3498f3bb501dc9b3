"""Rules over figures: `>= base + 0.05` read by a small grammar and held against what was measured.

    key   := FIGURE | FIGURE ".low" | ".high" | ".gain" | ".gain.low" | ".gain.high"
    rule  := (">=" | "<=" | ">" | "<") bar
    bar   := ["-"] number | other [("+" | "-" | "*") number]
    other := "base" | "run:" NAME

`low` and `high` bound the figure's interval, `gain` is its paired difference from what it is compared with,
and a number with `%` is a hundredth of itself. Nothing is evaluated as code.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

PARTS = ("gain.low", "gain.high", "gain", "low", "high")
_TOKEN = re.compile(
    r"\s*(?:(?P<sign>>=|<=|>|<)|(?P<other>base(?![\w:.])|run:[A-Za-z0-9][\w.-]*)"
    r"|(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?\s?%?)|(?P<operator>[-+*]))"
)
_FORM = 'write for example ">= 0.8", ">= base + 0.05" or ">= run:NAME - 0.01"'


class Figure(NamedTuple):
    """A metric's value, and the interval that it lies in where there is one."""

    value: float
    low: float | None = None
    high: float | None = None


class Malformed(ValueError):
    """A rule that cannot be read: what is wrong and where, and what to write instead."""

    def __init__(self, message: str, remedy: str = _FORM) -> None:
        super().__init__(message)
        self.message, self.remedy = message, remedy


@dataclass(frozen=True)
class Rule:
    """One rule. `part` is of PARTS, or empty for the figure itself; `other` is base or run:NAME, or empty
    where the bar is `number` alone."""

    key: str
    text: str
    figure: str
    part: str
    sign: str
    other: str = ""
    operator: str = ""
    number: float = 0.0

    def bar(self, other: float | None) -> float:
        """What the value is held against; `other` is the figure of what the rule names."""
        if not self.other or other is None:
            return self.number
        if self.operator == "*":
            return other * self.number
        return other - self.number if self.operator == "-" else other + self.number


class Ruled(NamedTuple):
    """What came of a rule. `by` is how far the value is on the right side of `bar`: negative is missed. `why`
    says what was not there to be judged."""

    metric: str
    rule: str
    value: float | None
    bar: float | None
    by: float | None
    met: bool
    why: str | None = None


@dataclass(frozen=True)
class Known:
    """What was measured: the model's own figures, those of what the rules name, and the paired differences.

    A text in place of figures says why there are none; `missing` says it of single ones.
    """

    own: Mapping[str, Figure]
    others: Mapping[str, Mapping[str, Figure] | str]
    gains: Mapping[str, Figure] | str
    missing: Mapping[str, str] = field(default_factory=dict)


def split(key: str) -> tuple[str, str]:
    """The figure and the part of it that a key of a gate names."""
    part = next((part for part in PARTS if key.endswith(f".{part}")), "")
    return (key[: -len(part) - 1], part) if part else (key, "")


def parse(key: str, text: str) -> Rule:
    """The rule of a gate's `key`. Raises Malformed with the place in `text`."""
    tokens = _tokens(text)
    figure, part = split(key)
    kind, sign, place = next(tokens)
    if kind != "sign":
        raise _unexpected(text, place, "a rule begins with >=, <=, > or <")
    kind, word, place = next(tokens)
    if kind == "operator" and word == "-":
        kind, word, place = next(tokens)
        if kind != "number":
            raise _unexpected(text, place, "a number is wanted")
        word = f"-{word}"
    if kind == "number":
        rule = Rule(key, text, figure, part, sign, number=_number(word))
    elif kind == "other":
        if part.startswith("gain"):
            raise Malformed(f'"{text}": a gain is a difference already, and is held against a number')
        rule = _relative(Rule(key, text, figure, part, sign, word), tokens)
    else:
        raise _unexpected(text, place, "a number, base or run:NAME is wanted")
    kind, _, place = next(tokens)
    if kind != "end":
        raise _unexpected(text, place, "nothing more is wanted")
    return rule


def _relative(rule: Rule, tokens: Iterator[tuple[str, str, int]]) -> Rule:
    """The rule with what is added to, taken from or multiplied with the figure that it names."""
    kind, operator, place = next(tokens)
    if kind == "end":
        return Rule(**{**vars(rule), "operator": "+"})
    if kind != "operator":
        raise _unexpected(rule.text, place, "+, - or * and a number are wanted")
    kind, word, place = next(tokens)
    if kind != "number":
        raise _unexpected(rule.text, place, "a number is wanted")
    return Rule(**{**vars(rule), "operator": operator, "number": _number(word)})


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    """Kind, text and place (from 1) of every word; then the end, as often as it is asked for."""
    at = 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            yield "unknown", text[at:].strip(), len(text) - len(text[at:].lstrip()) + 1
            return
        kind = str(match.lastgroup)
        yield kind, match[kind], match.start(kind) + 1
        at = match.end()
    while True:
        yield "end", "", len(text) + 1


def _number(word: str) -> float:
    number = float(word[:-1]) / 100 if word.endswith("%") else float(word)
    if math.isinf(number):
        raise Malformed(f"{word} is too large a number")
    return number


def _unexpected(text: str, place: int, wanted: str) -> Malformed:
    rest = text[place - 1 :]
    found = f"at {rest!r} (character {place})" if rest else "at its end"
    return Malformed(f'"{text}" is no rule: {found} {wanted}')


def judge(rule: Rule, known: Known) -> Ruled:
    """Hold one rule against what was measured. What is missing, or is no number, never meets it."""
    value, why = _value(rule, known)
    other: float | None = None
    if rule.other and not why:
        other, why = _other(rule, known)
    if why or value is None:
        return Ruled(rule.key, rule.text, value, None, None, False, why)
    bar = rule.bar(other)
    by = value - bar if rule.sign.startswith(">") else bar - value
    # What was written in decimals is met where the decimals meet it: 0.1 + 0.7 is 0.7999999999999999.
    met = by > 0 or ("=" in rule.sign and math.isclose(value, bar, rel_tol=1e-12, abs_tol=1e-12))
    return Ruled(rule.key, rule.text, value, bar, 0.0 if met and by < 0 else by, met)


def _value(rule: Rule, known: Known) -> tuple[float | None, str]:
    """The value that the rule is about, or why there is none."""
    figures: Mapping[str, Figure] | str = known.own
    if rule.part.startswith("gain"):
        figures = known.gains
    if isinstance(figures, str):
        return None, figures
    figure = figures.get(rule.figure)
    if figure is None:
        why = known.missing.get(rule.figure, "")
        return None, f"{rule.figure} was not measured{f': {why}' if why else ''}"
    value = {"low": figure.low, "high": figure.high}.get(rule.part.rpartition(".")[2], figure.value)
    if value is None:
        return None, f"{rule.figure} has no interval"
    return (value, "") if math.isfinite(value) else (None, f"{rule.key} came to no number")


def _other(rule: Rule, known: Known) -> tuple[float | None, str]:
    """The figure of what the rule names, or why there is none."""
    figures = known.others.get(rule.other, f"{rule.other} was not measured")
    if isinstance(figures, str):
        return None, figures
    figure = figures.get(rule.figure)
    if figure is None or not math.isfinite(figure.value):
        why = known.missing.get(rule.figure, "")
        return None, f"{rule.other} has no {rule.figure}{f': {why}' if why else ''}"
    return figure.value, ""
