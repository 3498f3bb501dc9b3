"""Counts cases by the metrics in the judge's environment: `python count_metrics.py INSIDE CASES ANSWER`.

Also counts how often intervals hold the true value, and asks the libraries themselves. Run by the judge's
interpreter, in one process for the whole table of a test.
"""

import json
import pathlib
import sys
import tempfile
from typing import Any

sys.path.insert(0, sys.argv[1])

import numpy as np
from metrics.bootstrap import Way, differences, drawn, intervals  # type: ignore[import-not-found] # of INSIDE
from metrics.figures import Corpus, MacroF1, Mean, Quantile  # type: ignore[import-not-found] # as above
from metrics.rows import Row  # type: ignore[import-not-found] # as above
from metrics.table import METRICS  # type: ignore[import-not-found] # as above


def counted(case: dict[str, Any], scratch: pathlib.Path) -> dict[str, Any]:
    rows = [Row(str(at), [], wanted, told or "") for at, (told, wanted) in enumerate(case["rows"])]
    scorer = METRICS[case["metric"]](case["options"], scratch, {"folder": str(scratch)})
    scorer.prepare(rows, len(rows), lambda *_: None)
    scores = [list(scorer.score(row)) for row in rows]
    figures = scorer.figures()
    once = np.ones((1, len(rows)))
    scorer.close()
    return {
        "figures": {name: figure.whole() for name, figure in figures.items()},
        "resampled": {name: float(figure(once)[0]) for name, figure in figures.items()},
        "scores": scores,
        "notes": scorer.notes,
    }


def by_sacrebleu(pairs: list[list[str]]) -> dict[str, float]:
    from sacrebleu.metrics import BLEU, CHRF

    told, wanted = [one for one, _ in pairs], [[other for _, other in pairs]]
    asked = {"13a": BLEU(), "zh": BLEU(tokenize="zh"), "chrf": CHRF(), "chrf++": CHRF(word_order=2)}
    return {name: metric.corpus_score(told, wanted).score for name, metric in asked.items()}


def coverage(rng: Any, way: Any, rows: int = 60, times: int = 500) -> dict[str, float]:
    """How often 95 % intervals hold the true value: of shares, means, ratios, medians and differences."""
    held = dict.fromkeys(("share", "mean", "ratio", "median", "difference"), 0)
    there = np.ones(rows, dtype=np.int8)
    for _ in range(times):
        hits, sizes = (rng.random(rows) < 0.7).astype(float), rng.integers(5, 15, rows).astype(float)
        values = rng.beta(2, 3, rows)
        nats = sizes * 2 + rng.normal(0, 2, rows)
        figures = {
            "share": Mean(hits),
            "mean": Mean(values),
            "ratio": Corpus("perplexity", np.stack([nats, sizes], axis=1), there),
            "median": Quantile(values, 0.5),
        }
        found = intervals(figures, rows, way)
        true = {"share": 0.7, "mean": 0.4, "ratio": float(np.exp(2)), "median": 0.38572756813238945}
        for name, value in true.items():
            held[name] += found[name].low <= value <= found[name].high
        better = np.clip(values + rng.normal(0.05, 0.1, rows), -9, 9)
        gap = differences({"x": Mean(values)}, {"x": Mean(better)}, rows, way)["x"][2]
        held["difference"] += gap.low <= 0.05 <= gap.high
    return {name: count / times for name, count in held.items()}


def chunks() -> list[Any]:
    """The same draws whatever is held at once, each of as many rows as there are."""
    weights = np.concatenate(list(drawn(700, Way(resamples=4000))))
    return [list(weights.shape), sorted(set(weights.sum(axis=1).tolist())), round(float(weights.mean()), 6)]


def unanswered() -> list[list[float]]:
    """Macro F1 and BLEU of rows of which some have no answer, beside the least with any answer there."""
    rng, found = np.random.default_rng(1), []
    for _ in range(40):
        truth, told = rng.integers(0, 3, 12), rng.integers(0, 4, 12)
        state = np.ones(12, dtype=np.int8)
        state[0] = 0
        others = [MacroF1(truth, np.array([one, *told[1:]]), np.ones(12), 3).whole() for one in range(4)]
        found.append([MacroF1(truth, np.array([3, *told[1:]]), state, 3).whole(), min(others)])
    for size in range(1, 11):  # nothing of so many words is right, where the reference has ten
        right = [10, 10, 9, 8, 7, 6, 10, 9, 8, 7]
        wrong = [size, 10, 0, 0, 0, 0, *(max(size - order, 0) for order in range(4))]
        empty = [0, 10, *[0] * 8]
        told, silent = (np.array([right, right, other], dtype=float) for other in (wrong, empty))
        least = Corpus("bleu", told, np.array([1, 1, 1])).whole()
        found.append([Corpus("bleu", silent, np.array([1, 1, 0])).whole(), least])
    return found


def main() -> None:
    asked = json.loads(pathlib.Path(sys.argv[2]).read_text())
    with tempfile.TemporaryDirectory() as scratch:
        cases = {name: counted(case, pathlib.Path(scratch)) for name, case in asked["cases"].items()}
    answer = {
        "cases": cases,
        "sacrebleu": {name: by_sacrebleu(pairs) for name, pairs in asked["corpora"].items()},
        "coverage": coverage(np.random.default_rng(7), Way(resamples=400, seed=3)),
        "chunks": chunks(),
        "unanswered": unanswered(),
    }
    pathlib.Path(sys.argv[3]).write_text(json.dumps(answer))


main()
