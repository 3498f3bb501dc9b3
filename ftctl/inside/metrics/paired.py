"""Compares two evaluations question by question, on those that both were asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .bootstrap import Way, differences
from .figures import Figure, from_arrays
from .refused import Refused
from .rows import Evaluation
from .scorer import Tell

CHANGED = 20  # examples that are told
SAME = 1e-9  # a difference of scores that is none

Array = Any  # a numpy array


def compare(request: Mapping[str, Any], tell: Tell) -> None:
    """Write the comparison of `a` and `b` (folders of evaluations) to `output`. Raises Refused."""
    sides = [Path(request[side]) for side in ("a", "b")]
    records = [_read(folder / "figures.json") for folder in sides]
    requests = [_read(folder / "request.json", {}) for folder in sides]
    notes: list[str] = []
    with np.load(sides[0] / "statistics.npz") as first, np.load(sides[1] / "statistics.npz") as second:
        at = _in_both(sides, first["ids"], second["ids"], requests, notes)
        names = _comparable(records, notes)
        a, b = (_figures(kept, names, rows) for kept, rows in zip((first, second), at, strict=True))
        ids = first["ids"][at[0]]
    if not len(ids):
        raise Refused("the two evaluations have no question in common")
    tell("pairs", 0, 1)
    way = Way(request["confidence"], request["resamples"], request["seed"])
    found = differences(a, b, len(ids), way)
    scores = [_scores(folder, list(ids), names) for folder in sides]
    paired, changed = {}, []
    for name in names:
        one, other, gap = found[name]
        better = records[0]["figures"][name]["better"]
        if one.value is None or other.value is None:
            continue
        counts, most = _rows(name, better, ids, scores[0][name], scores[1][name])
        changed += most
        paired[name] = {"a": one.value, "b": other.value, "difference": gap.value, "low": gap.low,
                        "high": gap.high, "better": better, **counts}  # fmt: skip
    record = {
        "version": 1,
        **{side: _named(one, folder) for side, one, folder in zip("ab", requests, sides, strict=True)},
        "rows": len(ids),
        "paired": paired,
        "changed": _most(changed),
        "confidence": way.confidence,
        "resamples": way.resamples,
        "seed": way.seed,
        "notes": notes,
    }
    output = Path(request["output"])
    new = output.with_suffix(".new")
    new.write_text(json.dumps(record, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    new.replace(output)
    tell("pairs", 1, 1)


def _named(request: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    return {"name": request.get("model") or folder.name, "digest": request.get("digest")}


def _read(path: Path, without: Any = None) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if without is not None:
            return without
        raise Refused(f"{path} is not there: that evaluation has no figures") from None


def _in_both(
    sides: list[Path], first: Array, second: Array, requests: list[Any], notes: list[str]
) -> tuple[Array, Array]:
    """Where the questions that both were asked stand in each."""
    ids, one, other = np.intersect1d(first, second, return_indices=True)
    left = (len(first) - len(ids), len(second) - len(ids))
    if any(left):
        notes.append(f"{left[0]} questions of the first and {left[1]} of the second are not in the other")
    digests = [request.get("digest") for request in requests]
    if digests[0] is not None and digests[0] == digests[1]:
        return one, other
    asked = [
        {row.id: hash((json.dumps(row.prompt, sort_keys=True), row.reference)) for row in Evaluation(folder)}
        for folder in sides
    ]
    same = np.array([asked[0].get(str(name)) == asked[1].get(str(name)) for name in ids], dtype=bool)
    if len(ids) - same.sum():
        notes.append(f"{len(ids) - same.sum()} questions have the same name and another text or reference")
    if digests[0] != digests[1]:
        notes.append("the two were not asked in the same way: questions, system prompt or sampling differ")
    return one[same], other[same]


def _comparable(records: list[Any], notes: list[str]) -> list[str]:
    """The figures that both have, counted in the same way."""
    a, b = (record["figures"] for record in records)
    names = [
        name for name in a if name in b and a[name]["low"] is not None and not name.startswith("latency")
    ]
    other = [name for name in names if any(a[name][key] != b[name][key] for key in ("metric", "options"))]
    if other:
        notes.append(f"not compared, because their options differ: {', '.join(other)}")
    return [name for name in names if name not in other]


def _figures(kept: Mapping[str, Array], names: list[str], at: Array) -> dict[str, Figure]:
    arrays: dict[str, dict[str, Array]] = {name: {} for name in names}
    for key in kept:
        name, _, part = key.rpartition("/")
        if name in arrays:
            arrays[name][part] = kept[key]
    return {name: from_arrays(parts, at) for name, parts in arrays.items()}


def _scores(folder: Path, ids: list[Any], names: list[str]) -> dict[str, Array]:
    """The rows' own scores, in the order of `ids`; what does not apply is no number."""
    at = {str(one): number for number, one in enumerate(ids)}
    found = {name: np.full(len(ids), np.nan) for name in names}
    with open(folder / "scores.jsonl", encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            number = at.get(row["id"])
            for name in names if number is not None else ():
                value = row["scores"].get(name)
                found[name][number] = np.nan if value is None else value
    return found


def _rows(name: str, better: str, ids: Array, a: Array, b: Array) -> tuple[dict[str, int], list[Any]]:
    """Wins, losses and ties of `b`, and the rows that changed most, with their share of the range."""
    both = ~(np.isnan(a) | np.isnan(b))
    gap = np.where(both, b - a, 0.0)
    gain = gap if better == "higher" else -gap
    counts = {
        "wins": int((gain > SAME).sum()),
        "losses": int((gain < -SAME).sum()),
        "ties": int((both & (abs(gain) <= SAME)).sum()),
    }
    if not counts["wins"] + counts["losses"]:
        return counts, []
    values = np.concatenate([a[both], b[both]])
    most = np.argsort(-abs(gap), kind="stable")[:CHANGED]
    share = abs(gap) / (values.max() - values.min())
    return counts, [
        (float(share[at]), {"id": str(ids[at]), "metric": name, "a": float(a[at]), "b": float(b[at])})
        for at in most
        if abs(gap[at]) > SAME
    ]


def _most(changed: list[Any]) -> list[dict[str, Any]]:
    """The questions that changed most, each by the metric that shows it best."""
    told: dict[str, dict[str, Any]] = {}
    for _, one in sorted(changed, key=lambda pair: -pair[0]):
        told.setdefault(one["id"], one)
    return list(told.values())[:CHANGED]
