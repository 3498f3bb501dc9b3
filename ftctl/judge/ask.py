"""Asks a deployment for the vectors or the scores of a retrieval test, in batches, a few at a time."""

from __future__ import annotations

import http.client
import math
import sys
from array import array
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from ftctl.deployments import client
from ftctl.deployments.model import Deployment
from ftctl.errors import FtctlError
from ftctl.judge.relevance import Relevance

BATCH = 32  # texts or pairs in one request
AT_ONCE = 4  # requests that are under way: enough to keep a server busy, few enough to leave it to others

Tell = Callable[[int, int], None]  # told: how many texts or pairs are done, and of how many
Item = TypeVar("Item")
Answer = TypeVar("Answer")


def embed_to(deployment: Deployment, key: str, test: Relevance, folder: Path, tell: Tell) -> int:
    """Write the vectors of queries and passages into `folder` (`queries.f32`, `passages.f32`), in the order
    of the test's ids, as little-endian float32. Returns how many numbers a vector has.

    Queries and passages are sent as the deployment says: with its prompts around them, and cut where they
    are too long. Raises FtctlError where the server fails.
    """
    ahead, behind = deployment.query_prompt or "", deployment.query_suffix or ""
    sides = {
        "queries": [f"{ahead}{text}{behind}" for text in test.queries.values()],
        "passages": [f"{deployment.passage_prompt or ''}{text}" for text in test.passages.values()],
    }
    total, done, width = sum(map(len, sides.values())), 0, 0
    for name, texts in sides.items():
        with open(folder / f"{name}.f32", "wb") as file:
            for vectors in _asked(
                texts, lambda batch: client.embed(deployment.url, key, deployment.model, batch, cut=True)
            ):
                width = width or len(vectors[0])
                file.write(_packed(vectors, width))
                done += len(vectors)
                tell(done, total)
    return width


def _packed(vectors: Sequence[Sequence[float]], width: int) -> bytes:
    if any(len(vector) != width for vector in vectors):
        raise FtctlError("the server's vectors have different widths", "see its log")
    packed = array("f", (number for vector in vectors for number in vector))
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()


def score_all(deployment: Deployment, key: str, test: Relevance, tell: Tell) -> dict[str, dict[str, float]]:
    """The score of every query with each of its candidates, by their ids. Raises FtctlError."""
    ahead = (deployment.query_prompt or "", deployment.passage_prompt or "")
    ids = [(query, passage) for query, found in test.candidates.items() for passage in found]
    pairs = [(ahead[0] + test.queries[query], ahead[1] + test.passages[passage]) for query, passage in ids]
    scores: list[float] = []
    for batch in _asked(
        pairs, lambda some: client.score(deployment.url, key, deployment.model, some, cut=True)
    ):
        scores += batch
        tell(len(scores), len(pairs))
    if not all(map(math.isfinite, scores)):
        raise FtctlError("the server gave a score that is no number", "see its log")
    run: dict[str, dict[str, float]] = {query: {} for query in test.candidates}
    for (query, passage), score in zip(ids, scores, strict=True):
        run[query][passage] = score
    return run


def _asked(items: Sequence[Item], ask: Callable[[Sequence[Item]], list[Answer]]) -> Iterator[list[Answer]]:
    """The answers to every batch, in order. Raises FtctlError where one is refused, missing or malformed."""

    def one(start: int) -> list[Answer]:
        batch = items[start : start + BATCH]
        try:
            answers = ask(batch)
        except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
            what = str(error) or type(error).__name__
            raise FtctlError(f"the server does not answer: {what}", "see its log") from error
        if len(answers) != len(batch):
            raise FtctlError(f"the server gave {len(answers)} answers to {len(batch)} texts", "see its log")
        return answers

    pool = ThreadPoolExecutor(AT_ONCE)
    try:
        yield from pool.map(one, range(0, len(items), BATCH))
    finally:  # a stop does not wait for what is still under way
        pool.shutdown(wait=False, cancel_futures=True)
