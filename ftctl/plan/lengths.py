"""How long queries and passages may be: chosen within what the model reads, refused beyond it."""

from __future__ import annotations

from ftctl.facts.model import RetrievalFacts
from ftctl.job.training import Retrieval
from ftctl.plan.decisions import Decisions

QUERY, PASSAGE = 128, 512  # tokens; a batch is padded to its longest row only, so short rows cost no more
ICL_QUERY = 2048  # FlagEmbedding's own example for decoder-only-icl
PROMPT = 64  # tokens that a decoder's reranker needs for FlagEmbedding's own question and a few words
SMALL = "FlagEmbedding's own {} cuts most of them; short rows cost no more"


def choose_lengths(
    task: str, variant: str, asked: Retrieval, model: RetrievalFacts, made: Decisions
) -> tuple[int, int]:
    """The longest query and passage in tokens. An embedder reads one at a time, a reranker both at once."""
    both = task == "reranker"
    limit = min(model.length or model.positions or 1 << 30, model.positions or 1 << 30)
    query, passage = asked.query_max_length, asked.passage_max_length
    if query is None:
        usual = ICL_QUERY if variant == "decoder-only-icl" else QUERY
        room = _query_room(limit, passage) if both else limit
        query = _chosen("train.query_max_length", usual, room, 32, made)
    if passage is None:
        room = max(limit - query, 2) if both else limit
        passage = _chosen("train.passage_max_length", PASSAGE, room, 128, made)
    _refuse_beyond(query, passage, both, model.positions, made)
    if both and variant.startswith("decoder") and query + passage < PROMPT:
        what = f"is {passage}, with the query {query + passage}, and the engine's own question takes some 40"
        made.refuse("train.passage_max_length", what, f"write {PROMPT} or more")
    return query, passage


def _query_room(limit: int, passage: int | None) -> int:
    """What a reranker's query may take: what the passage leaves, a quarter where that is open."""
    left = 0 if passage is None else limit - passage
    return left if left > 1 else limit // 4


def _chosen(key: str, usual: int, room: int, engines: int, made: Decisions) -> int:
    """The usual length, or what there is room for. `engines` is FlagEmbedding's default."""
    if room < usual:
        made.chose(key, room, "what the model has room for")
        return room
    more = "the examples stand in front of it" if usual == ICL_QUERY else SMALL.format(engines)
    made.chose(key, usual, more)
    return usual


def _refuse_beyond(query: int, passage: int, both: bool, positions: int | None, made: Decisions) -> None:
    if positions is None:
        return
    if both and query + passage > positions:
        what = f"query and passage are {query} + {passage} tokens, and the model reads {positions} at once"
        made.refuse("train.passage_max_length", what, f"write {max(positions - query, 2)} or less")
    for key, length in (("query_max_length", query), ("passage_max_length", passage)):
        if not both and length > positions:
            what = f"is {length}, and the model reads {positions} tokens at most"
            made.refuse(f"train.{key}", what, f"write {positions} or less")
