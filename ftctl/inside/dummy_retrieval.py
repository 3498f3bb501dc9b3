"""What a dummy embedder and a dummy reranker answer: figures that follow from the texts, and mean nothing.

Standard library only. The forms are those of vLLM 0.32.0's /v1/embeddings, /score and /rerank.
"""

import hashlib
import math
from collections.abc import Sequence
from typing import Any

WIDTH = 8  # numbers in a vector, as the artifact's hidden_size says


def embeddings(texts: Sequence[str]) -> list[dict[str, Any]]:
    """One row for each text."""
    return [
        {"object": "embedding", "index": number, "embedding": vector(text)}
        for number, text in enumerate(texts)
    ]


def vector(text: str) -> list[float]:
    """A vector of length 1 that follows from the text."""
    drawn = [byte / 255 - 0.5 for byte in hashlib.sha256(text.encode()).digest()[:WIDTH]]
    length = math.hypot(*drawn) or 1.0
    return [number / length for number in drawn]


def score(query: str, passage: str) -> float:
    """From -5 to 5, as logits are: the more of the query's words the passage has, the higher."""
    asked, said = set(query.lower().split()), set(passage.lower().split())
    share = len(asked & said) / len(asked) if asked else 0.0
    return round(10.0 * share - 5.0, 6)


def scores(pairs: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """One row for each pair of a query and a passage."""
    return [{"index": number, "object": "score", "score": score(*pair)} for number, pair in enumerate(pairs)]


def ranked(query: str, passages: Sequence[str]) -> list[dict[str, Any]]:
    """The passages, the best first; of equals the first."""
    rows = [
        {"index": number, "document": {"text": text}, "relevance_score": score(query, text)}
        for number, text in enumerate(passages)
    ]
    return sorted(rows, key=lambda row: -float(row["relevance_score"]))


def pairs_of(body: dict[str, Any]) -> list[tuple[str, str]]:
    """The pairs of `text_1` and `text_2`: as many of both, or one query for many passages.

    Raises ValueError where they do not go together.
    """
    first, second = (_texts(body.get(name)) for name in ("text_1", "text_2"))
    if len(first) == 1:
        first *= len(second)
    if not first or len(first) != len(second):
        raise ValueError("text_1 and text_2 are no texts that go together: as many of both, or one text_1")
    return list(zip(first, second, strict=True))


def _texts(given: Any) -> list[str]:
    texts = given if isinstance(given, list) else [given]
    return [text for text in texts if isinstance(text, str)]
