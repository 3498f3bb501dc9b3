"""Recall, MRR and nDCG of a ranking: `python retrieval_figures.py REQUEST ANSWER`, two files of JSON.

Run by FlagEmbedding's interpreter, whose environment holds numpy and pytrec_eval (trec_eval's own code). The
request has `relevant` (query to its right passages), `k`, and either `scores` (query to passage to score) or
`vectors`: `queries` and `passages` are ids, `files` the vectors as little-endian float32, `width` numbers
each. The answer has the figures of each query and their means.
"""

import json
import pathlib
import sys
from importlib.metadata import version
from typing import Any

DEPTH = 100  # passages of a query that are kept: more than any figure looks at
CELLS = 2**25  # similarities that are held at once

Run = dict[str, dict[str, float]]


def search(vectors: dict[str, Any]) -> Run:
    """The nearest passages of each query by their dot product: of normalised vectors, the cosine."""
    import numpy as np

    width = vectors["width"]
    queries, passages = (
        np.fromfile(vectors["files"][kind], dtype="<f4").reshape(-1, width)
        for kind in ("queries", "passages")
    )
    # By descending id, since trec_eval puts the later id first where scores are equal.
    order = sorted(range(len(passages)), key=lambda at: vectors["passages"][at], reverse=True)
    ids, passages = [vectors["passages"][at] for at in order], passages[order]
    run: Run = {}
    step = max(1, CELLS // len(passages))
    for start in range(0, len(queries), step):
        similarities = queries[start : start + step] @ passages.T
        if not np.isfinite(similarities).all():
            sys.exit("a vector holds a value that is no number")
        for row, query in zip(similarities, vectors["queries"][start:], strict=False):
            best = np.argsort(-row, kind="stable")[:DEPTH]
            run[query] = {ids[at]: float(row[at]) for at in best}
    return run


def first(run: Run, count: int) -> Run:
    """Each query's best passages, in trec_eval's order: by score, then by id, both descending."""
    return {
        query: dict(sorted(found.items(), key=lambda item: (item[1], item[0]), reverse=True)[:count])
        for query, found in run.items()
    }


def figures(relevant: dict[str, list[str]], run: Run, k: list[int]) -> dict[str, dict[str, float]]:
    """recall@k, mrr@K and ndcg@K of each query, K being the largest k."""
    import pytrec_eval

    judged = {query: dict.fromkeys(right, 1) for query, right in relevant.items()}
    most = max(k)
    names = {f"recall_{count}": f"recall@{count}" for count in k} | {f"ndcg_cut_{most}": f"ndcg@{most}"}
    measures = {"recall." + ",".join(map(str, k)), f"ndcg_cut.{most}"}
    found = pytrec_eval.RelevanceEvaluator(judged, measures).evaluate(run)
    # trec_eval's reciprocal rank has no cut of its own.
    ranks = pytrec_eval.RelevanceEvaluator(judged, {"recip_rank"}).evaluate(first(run, most))
    return {
        query: {
            **{names[name]: value for name, value in one.items()},
            f"mrr@{most}": ranks[query]["recip_rank"],
        }
        for query, one in found.items()
    }


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit("usage: retrieval_figures.py REQUEST ANSWER")
    request = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    run = search(request["vectors"]) if "vectors" in request else request["scores"]
    by_query = figures(request["relevant"], run, request["k"])
    if set(by_query) != set(request["relevant"]):
        sys.exit("the ranking does not hold every query")
    names = [f"recall@{count}" for count in request["k"]]
    names += [f"mrr@{max(request['k'])}", f"ndcg@{max(request['k'])}"]
    mean = {name: sum(one[name] for one in by_query.values()) / len(by_query) for name in names}
    library = f"pytrec-eval-terrier {version('pytrec-eval-terrier')}"
    answer = {"library": library, "mean": mean, "queries": by_query}
    pathlib.Path(sys.argv[2]).write_text(json.dumps(answer) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
