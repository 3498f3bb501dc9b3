"""Mines hard negatives by sentence-transformers' own function.

Runs inside the FlagEmbedding environment: `python mine_negatives.py REQUEST.json`. Reads the rows and the
corpus that the request names, writes the rows with more negatives, and prints how far it is as lines of JSON.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CHUNK = 32  # batches between two lines of progress


def main() -> None:
    request = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    say("loading", 0, 0)
    import torch
    from datasets import Dataset
    from sentence_transformers.util import mine_hard_negatives

    random.seed(request["seed"])
    torch.manual_seed(request["seed"])
    model = loaded(request)
    rows = list(read(request["rows"]))
    pairs = [(row["query"], text) for row in rows for text in row["pos"]]
    dataset = Dataset.from_dict(
        {"anchor": [query for query, _ in pairs], "positive": [text for _, text in pairs]}
    )
    known = (text for row in rows for text in (*row["pos"], *row["neg"]))
    texts = request["corpus"] and [row["text"] for row in read(request["corpus"])]
    # A row's own negatives are found too and not counted: so more are asked for than are wanted.
    wanted = request["negatives"] + (0 if request["replace"] else max(len(row["neg"]) for row in rows))
    if request["range_max"] is not None:
        wanted = min(wanted, request["range_max"] - request["range_min"])
    mined = mine_hard_negatives(
        dataset,
        model,
        corpus=list(dict.fromkeys(texts or known)),
        num_negatives=wanted,
        range_min=request["range_min"],
        range_max=request["range_max"],
        max_score=request["max_score"],
        min_score=request["min_score"],
        absolute_margin=request["margin"],
        relative_margin=request["relative_margin"],
        sampling_strategy=request["sampling"],
        query_prompt=request["query_instruction"],
        batch_size=request["batch_size"],
        output_format="triplet",
        use_faiss=False,  # not in the environment, and not needed
        verbose=False,
    )
    found: dict[str, dict[str, None]] = {}
    for query, negative in zip(mined["anchor"], mined["negative"], strict=True):
        found.setdefault(query, {})[negative] = None
    write(request, rows, found)


def loaded(request: dict[str, Any]) -> Any:
    """The model; its two ways to encode say how far they are."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

    path, pooling = request["model"], request["pooling"]
    if pooling is None:
        model = SentenceTransformer(path, revision=request["revision"])
    else:
        words = Transformer(path)
        width = words.get_embedding_dimension()
        model = SentenceTransformer(modules=[words, Pooling(width, pooling_mode=pooling), Normalize()])
    for name, what in (("encode_document", "passages"), ("encode_query", "queries")):
        setattr(model, name, told(getattr(model, name), what, request["batch_size"]))
    return model


def told(encode: Any, what: str, batch_size: int) -> Any:
    """`encode` in parts of some batches, with a line after each."""
    import numpy

    def parts(texts: list[str], **how: Any) -> Any:
        # Texts of one length together, as encode itself sorts them: less padding.
        order = sorted(range(len(texts)), key=lambda place: -len(texts[place]))
        step, made = CHUNK * batch_size, []
        for start in range(0, len(texts), step):
            say(what, start, len(texts))
            part = [texts[place] for place in order[start : start + step]]
            made.append(encode(part, **{**how, "show_progress_bar": False}))
        say(what, len(texts), len(texts))
        back = numpy.empty(len(texts), dtype=int)
        back[order] = numpy.arange(len(texts))
        return numpy.concatenate(made)[back]

    return parts


def read(path: str) -> Iterator[dict[str, Any]]:
    with open(path, encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def write(request: dict[str, Any], rows: list[dict[str, Any]], found: dict[str, dict[str, None]]) -> None:
    """Each row with the mined negatives behind its own (or in their place): none that is one of its texts."""
    counts = {"rows": 0, "mined": 0, "short": 0, "without": 0}
    with open(request["to"], "w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            own = [] if request["replace"] else row["neg"]
            taken = {row["query"], *row["pos"], *own}
            fresh = [text for text in found.get(row["query"], ()) if text not in taken]
            if request["sampling"] == "random":
                random.shuffle(fresh)
            fresh = fresh[: request["negatives"]]
            counts["mined"] += len(fresh)
            counts["short"] += len(fresh) < request["negatives"]
            if not own and not fresh:
                counts["without"] += 1
                continue
            counts["rows"] += 1
            file.write(json.dumps({**row, "neg": [*own, *fresh]}, ensure_ascii=False) + "\n")
    print(json.dumps({"done": counts}), flush=True)


def say(stage: str, done: int, total: int) -> None:
    print(json.dumps({"stage": stage, "done": done, "total": total}), flush=True)


if __name__ == "__main__":
    main()
