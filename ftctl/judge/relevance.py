"""Held-out queries, the passages that are searched for them, and which of these are right."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b, sha256
from typing import Any

DRAWN = 20  # passages that a query without negatives of its own gets to be told from

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Relevance:
    """A retrieval test. Ids are hashes of the texts, so that one text is one query or one passage.

    `queries` and `passages` map ids to texts, `relevant` each query to its right passages, `candidates` each
    query to those that a reranker puts in order. `seen` counts queries that were also trained on.
    """

    queries: Mapping[str, str]
    passages: Mapping[str, str]
    relevant: Mapping[str, tuple[str, ...]]
    candidates: Mapping[str, tuple[str, ...]]
    seen: int = 0

    @property
    def digest(self) -> str:
        """The sha256 of the whole test: the same for the same rows in any order."""
        parts = (self.queries, self.passages, self.relevant, self.candidates)
        return sha256(json.dumps(parts, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()


def text_id(kind: str, text: str) -> str:
    """The id of a text: its kind's letter and 16 hex digits."""
    return kind + blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def relevance_of(held_out: Iterable[Row], trained: Iterable[Row]) -> Relevance:
    """The test that rows of query, pos and neg make.

    Relevant are the `pos` of a held-out query. The corpus is every distinct `pos` and `neg` of held-out and
    training rows: with the training's passages in it a model cannot win by knowing which ones are asked for.
    """
    queries: dict[str, str] = {}
    passages: dict[str, str] = {}
    relevant: dict[str, dict[str, None]] = {}
    others: dict[str, dict[str, None]] = {}
    for row in held_out:
        query = text_id("q", row["query"])
        queries[query] = row["query"]
        relevant.setdefault(query, {}).update(dict.fromkeys(_known(passages, row["pos"])))
        others.setdefault(query, {}).update(dict.fromkeys(_known(passages, row.get("neg") or ())))
    seen = set()
    for row in trained:
        _known(passages, row["pos"])
        _known(passages, row.get("neg") or ())
        if (query := text_id("q", row["query"])) in queries:
            seen.add(query)
    corpus = sorted(passages)
    return Relevance(
        queries=dict(sorted(queries.items())),
        passages={passage: passages[passage] for passage in corpus},
        relevant={query: tuple(sorted(found)) for query, found in sorted(relevant.items())},
        candidates={
            query: _candidates(query, relevant[query], others[query], corpus) for query in sorted(queries)
        },
        seen=len(seen),
    )


def _known(passages: dict[str, str], texts: Iterable[str]) -> list[str]:
    ids = [text_id("p", text) for text in texts]
    passages.update(zip(ids, texts, strict=True))
    return ids


def _candidates(
    query: str, relevant: Iterable[str], others: Iterable[str], corpus: list[str]
) -> tuple[str, ...]:
    """A query's own passages; one without negatives has nothing to tell apart and gets some of the corpus."""
    right = set(relevant)
    wrong = set(others) - right
    if not wrong:
        chance = random.Random(query)  # noqa: S311 - a draw that can be repeated, not a secret
        drawn = chance.sample(corpus, min(len(corpus), DRAWN + len(right)))
        wrong = set([passage for passage in drawn if passage not in right][:DRAWN])
    return tuple(sorted(right | wrong))
