"""Rows for embedders and rerankers: their formats, and what each row must hold for FlagEmbedding to train.

FlagEmbedding 1.4.2 names neither row nor file when one is bad, and finds it when the row is drawn.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any, NamedTuple

from ftctl.facts.row_checks import kind_of
from ftctl.job.model import Dataset

FORMATS = ("retrieval", "triplet", "pair")
# The names under which the columns usually stand; the first is the format's own.
USUAL = {
    "retrieval": {
        "query": ("query", "anchor", "question"),
        "pos": ("pos", "positives", "positive"),
        "neg": ("neg", "negatives", "negative"),
        "pos_scores": ("pos_scores",),
        "neg_scores": ("neg_scores",),
        "prompt": ("prompt",),
    },
    "triplet": {
        "query": ("query", "anchor", "question", "sentence1"),
        "positive": ("positive", "pos", "passage", "answer", "document", "sentence2", "text"),
        "negative": ("negative", "neg"),
    },
    "pair": {
        "query": ("query", "sentence1", "anchor", "question"),
        "passage": ("passage", "text", "sentence2", "document", "positive"),
        "label": ("label", "score"),
    },
}
OWN = {  # the keys of `columns` that only one format has
    "retrieval": {"pos", "neg", "pos_scores", "neg_scores"},
    "triplet": {"positive", "negative"},
    "pair": {"passage", "label"},
}
PLURAL = {"pos", "positives", "negatives"}
NUMBERED = re.compile(r"(?:negative|neg)_\d+")
MINE = "`ftctl data mine` finds hard ones, `ftctl data convert` draws some at random"
THRESHOLD = 0.5  # where labels are 0 and 1


class Parts(NamedTuple):
    """A checked row: one query, passages that answer it, passages that do not."""

    query: str
    pos: list[str]
    neg: list[str]


def detect(row: Mapping[str, Any], dataset: Dataset) -> str | None:
    """The format that a row has, or None; the job's own columns are looked at first."""
    for name, keys in OWN.items():
        if keys & dataset.columns.keys():
            return name
    if "query" not in dataset.columns and not any(column in row for column in USUAL["pair"]["query"]):
        return None
    if row.keys() & PLURAL or isinstance(row.get("positive"), list) or isinstance(row.get("neg"), list):
        return "retrieval"
    if "positive" not in row and row.keys() & set(USUAL["pair"]["label"]):
        return "pair"
    return "triplet" if row.keys() & set(USUAL["triplet"]["positive"]) else None


def columns_of(name: str, dataset: Dataset, row: Mapping[str, Any], task: str | None) -> dict[str, str]:
    """The column of each part: the job's, else the first usual name that the row has, else the format's own.

    A reranker reads `query_prompt` where an embedder reads `prompt`.
    """
    found = {
        key: next((column for column in usual if column in row), usual[0])
        for key, usual in USUAL[name].items()
    }
    if name == "retrieval" and task == "reranker":
        found["prompt"] = "query_prompt"
    return {**found, **dataset.columns}


def unknown_names(name: str, dataset: Dataset) -> tuple[str, ...]:
    """What is wrong with the names in the job's `columns` and `tags`, one sentence each."""
    wrong = [
        f'columns has no "{key}" in the {name} format' for key in dataset.columns if key not in USUAL[name]
    ]
    return (*wrong, *(f'tags has no "{key}" in the {name} format' for key in dataset.tags))


def parts_of(name: str, row: Mapping[str, Any], columns: Mapping[str, str], threshold: float | None) -> Parts:
    """The parts of a checked row; a pair has one passage, on the side that its label says."""
    query = row[columns["query"]]
    if name == "retrieval":
        return Parts(query, row[columns["pos"]], row.get(columns["neg"]) or [])
    if name == "triplet":
        return Parts(query, [row[columns["positive"]]], negatives(row, columns))
    passage = [row[columns["passage"]]]
    good = float(row[columns["label"]]) >= (THRESHOLD if threshold is None else threshold)
    return Parts(query, passage, []) if good else Parts(query, [], passage)


def negatives(row: Mapping[str, Any], columns: Mapping[str, str]) -> list[str]:
    """The negatives of a triplet: one text or a list of them, and those in numbered columns."""
    value = row.get(columns["negative"])
    first = value if isinstance(value, list) else [] if value is None else [value]
    numbered = (row[column] for column in row if column[:3] == "neg" and NUMBERED.fullmatch(column))
    return [*first, *(text for text in numbered if text is not None)]


def check_row(
    name: str,
    row: Any,
    columns: Mapping[str, str],
    *,
    negatives_needed: bool = True,
    scores: bool = False,
    threshold: float | None = None,
) -> str:
    """What is wrong with a row; empty where nothing is. With `scores` the teacher's are needed."""
    if not isinstance(row, dict):
        return f"a row must be an object, this is a {kind_of(row)}"
    wrong = _text(row, columns["query"], "query")
    if wrong:
        return wrong
    if name == "pair":
        return _text(row, columns["passage"], "passage") or _label(row, columns["label"], threshold)
    if name == "triplet":
        return _text(row, columns["positive"], "positive") or _triplet(row, columns)
    return _retrieval(row, columns, negatives_needed) or (_scores(row, columns) if scores else "")


def _text(row: Mapping[str, Any], column: str, part: str) -> str:
    value = row.get(column)
    if type(value) is str:
        return f'the {part} is empty: no text in "{column}"' if not value or value.isspace() else ""
    if column not in row:
        return f'the {part} is missing: no "{column}"'
    return f'"{column}" must be text, this is {_kind(value)}'


def _retrieval(row: Mapping[str, Any], columns: Mapping[str, str], needed: bool) -> str:
    pos, neg = columns["pos"], columns["neg"]
    wrong = _passages(row, pos, "positives")
    if wrong:
        return wrong
    if needed or row.get(neg):
        wrong = _passages(row, neg, "negatives")
        if wrong:
            return f"{wrong}; {MINE}" if not row.get(neg) else wrong
        if not set(row[pos]).isdisjoint(row[neg]):
            both = next(text for text in row[pos] if text in row[neg])
            return f'a text stands in "{pos}" and in "{neg}": {_short(both)}'
    prompt = row.get(columns["prompt"])
    if prompt is not None and not isinstance(prompt, str):
        return f'"{columns["prompt"]}" must be text, this is {_kind(prompt)}'
    return ""


def _passages(row: Mapping[str, Any], column: str, part: str) -> str:
    value = row.get(column)
    if type(value) is not list:
        if column not in row:
            return f'the {part} are missing: no "{column}"'
        return f'"{column}" must be a list of texts, this is {_kind(value)}'
    if not value:
        return f'the list "{column}" is empty'
    return _each(value, column)


def _each(texts: Iterable[Any], column: str) -> str:
    for number, text in enumerate(texts, 1):
        if type(text) is not str:
            return f'"{column}" must hold texts, number {number} is {_kind(text)}'
        if not text or text.isspace():
            return f'"{column}" has an empty text, number {number}'
    return ""


def _triplet(row: Mapping[str, Any], columns: Mapping[str, str]) -> str:
    found = negatives(row, columns)
    wrong = _each(found, columns["negative"])
    if wrong:
        return wrong
    if row[columns["positive"]] in found:
        return f"the positive is a negative too: {_short(row[columns['positive']])}"
    return ""


def _label(row: Mapping[str, Any], column: str, threshold: float | None) -> str:
    value = row.get(column)
    if value is None:
        return f'the label is missing: no value in "{column}"'
    number = label_of(value)
    if number is None:
        said = _short(value) if isinstance(value, str) else _kind(value)
        return f'"{column}" must be a number, this is {said}'
    if threshold is None and number not in (0.0, 1.0):
        return (
            f'"{column}" is {value} and not 0 or 1; set the threshold from which on a passage is a positive'
        )
    return ""


def label_of(value: Any) -> float | None:
    """A label as a number; None where it is none. A CSV file holds it as text."""
    try:
        number = float(value) if isinstance(value, (int, float, str)) else None
    except ValueError:
        return None
    return number if number is not None and isfinite(number) else None


def _scores(row: Mapping[str, Any], columns: Mapping[str, str]) -> str:
    for key, passages in (("pos_scores", "pos"), ("neg_scores", "neg")):
        column, value = columns[key], row.get(columns[key])
        if value is None:
            return f'the scores for distillation are missing: no "{column}"'
        if type(value) is not list:
            return f'"{column}" must be a list of numbers, this is {_kind(value)}'
        for number, score in enumerate(value, 1):
            if type(score) not in (int, float):
                return f'"{column}" must hold numbers, number {number} is {_kind(score)}'
            if not isfinite(score):
                return f'"{column}" must hold numbers, number {number} is {score}'
        size = len(row.get(columns[passages]) or ())
        if len(value) != size:
            return f'"{column}" has {len(value)} scores and "{columns[passages]}" has {size} texts'
    return ""


def _kind(value: Any) -> str:
    kind = kind_of(value)
    return kind if kind == "null" else f"{'an' if kind == 'object' else 'a'} {kind}"


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:39]}…")
