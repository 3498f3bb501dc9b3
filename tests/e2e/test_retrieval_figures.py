"""The figures of a ranking by pytrec_eval against a count in plain Python, in FlagEmbedding's environment."""

from __future__ import annotations

import json
import math
import random
import subprocess
from array import array
from pathlib import Path
from typing import Any

import pytest

from ftctl.trainers.start import INSIDE

pytestmark = pytest.mark.engine
K = (1, 5, 10)


def figures(python: Path, folder: Path, request: dict[str, Any]) -> Any:
    asked, answer = folder / "request.json", folder / "answer.json"
    asked.write_text(json.dumps({"k": K, **request}))
    argv = [str(python), str(INSIDE / "retrieval_figures.py"), str(asked), str(answer)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(answer.read_text())


def counted(order: list[str], right: set[str]) -> dict[str, float]:
    """The same figures by their definitions: recall, reciprocal rank, and DCG over the best possible DCG."""
    hits = [passage in right for passage in order]
    found = {f"recall@{k}": sum(hits[:k]) / len(right) for k in K}
    ranks = [rank for rank, hit in enumerate(hits[:10], 1) if hit]
    gains = [1 / math.log2(rank + 1) for rank in range(1, 11)]
    dcg = sum(gain for gain, hit in zip(gains, hits, strict=False) if hit)
    found["mrr@10"] = 1 / ranks[0] if ranks else 0.0
    return {**found, "ndcg@10": dcg / sum(gains[: len(right)])}


def same(found: Any, wanted: dict[str, float]) -> None:
    assert found == pytest.approx(wanted, abs=1e-6)


def test_vectors_are_searched_and_counted_as_by_hand(flagembedding_python: Path, tmp_path: Path) -> None:
    rng, width = random.Random(7), 6
    vectors = {
        kind: [[rng.gauss(0, 1) for _ in range(width)] for _ in range(count)]
        for kind, count in (("queries", 40), ("passages", 300))
    }
    ids = {kind: [f"{kind[0]}{number:03}" for number in range(len(rows))] for kind, rows in vectors.items()}
    relevant = {query: rng.sample(ids["passages"], rng.randint(1, 3)) for query in ids["queries"]}
    files = {}
    for kind, rows in vectors.items():
        files[kind] = str(tmp_path / f"{kind}.f32")
        Path(files[kind]).write_bytes(array("f", [number for row in rows for number in row]).tobytes())
    answer = figures(
        flagembedding_python,
        tmp_path,
        {"relevant": relevant, "vectors": {**ids, "files": files, "width": width}},
    )
    wanted = {}
    for query, vector in zip(ids["queries"], vectors["queries"], strict=True):
        near = {
            passage: math.fsum(one * other for one, other in zip(vector, row, strict=True))
            for passage, row in zip(ids["passages"], vectors["passages"], strict=True)
        }
        wanted[query] = counted(sorted(near, key=lambda passage: -near[passage]), set(relevant[query]))
        same(answer["queries"][query], wanted[query])
    assert any(one["mrr@10"] == 0 for one in wanted.values())  # some are found beyond the cut
    means = {name: sum(one[name] for one in wanted.values()) / len(wanted) for name in wanted["q000"]}
    same(answer["mean"], means)
    assert answer["library"].startswith("pytrec-eval-terrier ")


def test_scores_are_counted_as_by_hand_and_equal_ones_by_id(
    flagembedding_python: Path, tmp_path: Path
) -> None:
    scores = {
        "q1": {"a": -3.0, "b": 2.5, "c": 2.5, "d": 7.0},
        "q2": {f"p{number:02}": 0.0 for number in range(15)},
    }
    relevant = {"q1": ["b", "a"], "q2": ["p05"]}
    answer = figures(flagembedding_python, tmp_path, {"relevant": relevant, "scores": scores})
    same(answer["queries"]["q1"], counted(["d", "c", "b", "a"], {"a", "b"}))
    order = [f"p{number:02}" for number in reversed(range(15))]  # equal scores: the later id first
    same(answer["queries"]["q2"], counted(order, {"p05"}))
    assert answer["queries"]["q2"]["mrr@10"] == pytest.approx(0.1)
