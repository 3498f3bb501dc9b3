"""Reads the metrics that a job asks for: names, or names with options."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from ftctl.judge.metric import REQUIRED, Metric, Option
from ftctl.judge.metrics import METRICS, SPEED, Asked

OWN_NAME = "as"  # the key beside a metric's options that gives its figures another name
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
FUNCTION = re.compile(r"[^:]+\.py:[A-Za-z_]\w*")
SECRET = re.compile(r"\$\{env:[A-Za-z_]\w*\}")


@dataclass(frozen=True)
class Wrong:
    """One thing that cannot be right. `path` leads to it from the list of metrics: indices and keys."""

    path: tuple[int | str, ...]
    message: str
    remedy: str = ""


def read_metrics(given: Any) -> tuple[tuple[Asked, ...], tuple[Wrong, ...]]:
    """The metrics that `evaluate.metrics` asks for, and all that is wrong with it."""
    if not isinstance(given, list):
        return (), (Wrong((), "this must be a list of metrics", "write [exact_match]"),)
    asked: list[Asked] = []
    wrong: list[Wrong] = []
    taken = set(SPEED)
    for index, item in enumerate(given):
        one, faults = _read_one(item, index)
        wrong += faults
        if one is None:
            continue
        doubled = sorted(taken & set(one.figures.values()))
        if doubled:
            remedy = f"give one another name: {{{one.metric}: {{{OWN_NAME}: other_name, …}}}}"
            wrong.append(Wrong((index,), f"two figures are called {', '.join(doubled)}", remedy))
        taken |= set(one.figures.values())
        asked.append(one)
    return tuple(asked), tuple(wrong)


def _read_one(item: Any, index: int) -> tuple[Asked | None, list[Wrong]]:
    name: Any = item
    options: Any = {}
    if isinstance(item, Mapping) and len(item) == 1:
        name, options = next(iter(item.items()))
    metric = METRICS.get(name) if isinstance(name, str) else None
    if metric is None:
        near = get_close_matches(str(name), METRICS, n=1) if isinstance(name, str) else []
        hint = f"did you mean {near[0]}? " if near else ""
        return None, [Wrong((index,), f"there is no metric {name!r}", f"{hint}they are {', '.join(METRICS)}")]
    if options is None:
        options = {}
    if not isinstance(options, Mapping):
        return None, [Wrong((index, name), "the options must be a mapping", f"write {{{name}: {{…: …}}}}")]
    return _with_options(metric, options, index)


def _with_options(metric: Metric, given: Mapping[str, Any], index: int) -> tuple[Asked | None, list[Wrong]]:
    wrong: list[Wrong] = []
    values: dict[str, Any] = {}
    known = {option.name for option in metric.options}
    for key in given:
        if key not in known and key != OWN_NAME:
            near = get_close_matches(str(key), known, n=1)
            remedy = f"did you mean {near[0]}?" if near else _options_of(metric)
            wrong.append(Wrong((index, metric.name, str(key)), f"{metric.name} has no such option", remedy))
    for option in metric.options:
        value = given.get(option.name)
        if value is None:
            if option.default is REQUIRED:
                wrong.append(Wrong((index, metric.name), f"{metric.name} needs {option.name}", option.says))
            values[option.name] = option.default
            continue
        fault = _KINDS[option.kind](option, value)
        if fault:
            wrong.append(Wrong((index, metric.name, option.name), fault, option.says))
        several = option.kind in ("choices", "texts")
        values[option.name] = tuple(value if _listed(value) else [value]) if several else value
    own = given.get(OWN_NAME)
    if own is not None and not (isinstance(own, str) and NAME.fullmatch(own)):
        wrong.append(Wrong((index, metric.name, OWN_NAME), "this is no name", "write letters, digits and _"))
        own = None
    return (None if wrong else Asked(metric.name, values, own)), wrong


def _options_of(metric: Metric) -> str:
    if not metric.options:
        return "it has no options"
    return f"its options are {', '.join(option.name for option in metric.options)}"


def _listed(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")


def _count(option: Option, value: Any) -> str:
    right = isinstance(value, int) and not isinstance(value, bool) and value >= option.least
    return "" if right else f"this must be a whole number of {option.least:g} or more"


def _amount(option: Option, value: Any) -> str:
    return (
        "" if _number(value) and value >= option.least else f"this must be a number, {option.least:g} or more"
    )


def _choice(option: Option, value: Any) -> str:
    return "" if value in option.choices else f"this must be one of {', '.join(option.choices)}"


def _choices(option: Option, value: Any) -> str:
    return next(filter(None, (_choice(option, one) for one in (value if _listed(value) else [value]))), "")


def _texts(_option: Option, value: Any) -> str:
    listed = value if _listed(value) else [value]
    right = listed and all(isinstance(one, str) and one for one in listed)
    return "" if right else "this must be a text or a list of texts"


def _pattern(option: Option, value: Any) -> str:
    try:
        re.compile(value)
    except (re.error, TypeError, OverflowError, RecursionError) as error:
        return f"this is no regular expression: {error}"
    return ""


def _scale(_option: Option, value: Any) -> str:
    right = _listed(value) and len(value) == 2 and all(map(_number, value)) and value[0] < value[1]
    return "" if right else "this must be two numbers, the lower one first, as [1, 5]"


def _text(must: str, test: Callable[[str], Any]) -> Callable[[Option, Any], str]:
    return lambda _option, value: (
        "" if isinstance(value, str) and value and test(value) else f"this must be {must}"
    )


_KINDS: Mapping[str, Callable[[Option, Any], str]] = {
    "switch": lambda _option, value: "" if isinstance(value, bool) else "this must be true or false",
    "count": _count,
    "number": _amount,
    "choice": _choice,
    "choices": _choices,
    "texts": _texts,
    "pattern": _pattern,
    "scale": _scale,
    "text": _text("a text", bool),
    "file": _text("a path", bool),
    "function": _text("a file and a function in it, as check.py:ok", FUNCTION.fullmatch),
    "url": _text("an address that begins with http:// or https://", re.compile(r"https?://\S+").fullmatch),
    "secret": _text("a reference to a secret, as ${env:MY_KEY}", SECRET.fullmatch),
}


def files_of(asked: Asked) -> dict[str, str]:
    """The files that a metric reads, by the option that names each, as the job writes them."""
    named = {
        option.name: str(asked.options[option.name])
        for option in METRICS[asked.metric].options
        if option.kind in ("file", "function") and asked.options.get(option.name) is not None
    }
    return {name: path.rpartition(":")[0] if name == "function" else path for name, path in named.items()}
