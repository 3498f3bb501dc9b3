"""The step after an embedder's or a reranker's training that makes the reference for its deployments."""

from __future__ import annotations

import json
from typing import Any

from ftctl.job.dummy import NAME as DUMMY
from ftctl.plan.model import Plan, RetrievalPlan
from ftctl.rendered import Rendered
from ftctl.trainers.start import INSIDE, interpreter
from ftctl.trainers.table import trainer_of

FILE = "native/reference.json"
OUT = "reference.json"
SCRIPT = INSIDE / "flagembedding_reference.py"

# Short, long, empty of words, in several scripts, with line breaks and code: what tokenizers differ on.
TEXTS = (
    "The invoice is due within thirty days of delivery.",
    "deploy.port: 8000  # a free one is taken where none is set",
    "客服电话是多少？请在工作日联系我们。",
    "Où se trouve la gare ? À côté de l'hôtel de ville…",
    "First line?\n\nSecond line: (a) one, (b) two.",
    "?!",
    "How a bearing fails depends on its load, its speed and its grease. " * 12,
)
QUERIES = ("when is the invoice due?", "客服电话", "which port")
PAIRS = (
    ("when is the invoice due?", "The invoice is due within thirty days of delivery."),
    ("when is the invoice due?", "deploy.port: 8000"),
    ("客服电话是多少？", "请在工作日联系我们。"),
    ("what comes first (really)?!", "First line?\n\nSecond line: two."),
    ("port", "a"),
)


def render_reference(plan: Plan) -> Rendered | None:
    """The step of a plan's training; None where nothing is to be compared.

    That is a language model, what a dummy trained, an adapter that is not merged, a reranker that cannot be
    served, and a pooling that FlagEmbedding trains with and cannot embed with. It runs on the CPU in float32.
    """
    retrieval = plan.train.retrieval if plan.train is not None else None
    if retrieval is None or not _embeds(retrieval) or trainer_of(plan).NAME == DUMMY:
        return None
    found = trainer_of(plan).results(plan)
    whole = found.get("merged", found.get("model"))
    if whole is None:
        return None
    asked = {"model": str(whole), **_asked(retrieval), "trust_remote_code": plan.job.model.trust_remote_code}
    env: dict[str, str | None] = {
        "CUDA_VISIBLE_DEVICES": "",
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": None,
        "TOKENIZERS_PARALLELISM": "false",
        "HF_TOKEN": None,
        "HF_HUB_OFFLINE": "1",
    }
    text = json.dumps(asked, indent=1, ensure_ascii=False) + "\n"
    return Rendered((str(interpreter(plan)), str(SCRIPT), FILE, OUT), env, {FILE: text})


def _embeds(retrieval: RetrievalPlan) -> bool:
    """Whether FlagEmbedding's own inference has what is trained (release 1.4.2)."""
    if retrieval.pooling is None:
        return retrieval.variant != "decoder-only-layerwise"
    return retrieval.pooling in (("cls", "mean") if retrieval.encoder else ("last_token",))


def _asked(retrieval: RetrievalPlan) -> dict[str, Any]:
    """What the script is asked, by its own names."""
    # A server has one length for queries and passages: the longer.
    length = max(retrieval.query_max_length, retrieval.passage_max_length)
    asked: dict[str, Any] = {
        "variant": retrieval.variant,
        "query_max_length": length,
        "passage_max_length": length,
        "query_instruction": retrieval.query_instruction,
    }
    if retrieval.pooling is None:
        pairs = [list(pair) for pair in PAIRS]
        return {
            **asked,
            "task": "reranker",
            "passage_instruction": retrieval.passage_instruction,
            "pairs": pairs,
        }
    return {
        **asked,
        "task": "embedding",
        "pooling": retrieval.pooling,
        "normalize": retrieval.normalize,
        "texts": list(TEXTS),
        "queries": list(QUERIES),
    }
