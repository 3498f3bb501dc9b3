"""vLLM's pooling runner: the arguments of an embedder or a reranker (as of 0.32.0).

Measured: a raw folder is pooled by CLS whatever it was trained with, `dtype: auto` is float16 even on the
CPU, and scores go through a sigmoid unless they are told not to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ftctl.plan.model import ServePlan
from ftctl.plan.serve_kind import POOLING_TYPES

# Written beside the server's log for a reranker that is a language model (servers/vllm_score.py).
TOKENIZER, TEMPLATE = "tokenizer", "score.jinja"


def pooling_flags(plan: ServePlan) -> dict[str, Any]:
    """The arguments beside the usual ones; none for a generator of text."""
    if plan.kind == "embed":
        pooler = {
            "pooling_type": POOLING_TYPES[plan.pooling or "cls"],
            "use_activation": plan.normalize is True,
        }
        return {
            "runner": "pooling",
            "convert": "embed",
            "pooler-config": pooler,
            "hf-overrides": _overrides(plan) or None,
        }
    if plan.kind != "score":
        return {}
    flags: dict[str, Any] = {
        "runner": "pooling",
        "convert": "classify",
        "pooler-config": {"use_activation": False},
    }
    if plan.head != "yes":
        return {**flags, "hf-overrides": _overrides(plan) or None}
    return {
        **flags,
        "tokenizer": TOKENIZER,
        "chat-template": TEMPLATE,
        "hf-overrides": {
            "architectures": [_scoring(plan.architecture or "")],
            "classifier_from_token": [plan.yes],
            "method": "no_post_processing",
        },
    }


def _overrides(plan: ServePlan) -> Mapping[str, Any]:
    """XLM-RoBERTa does not start where its config.json lacks what transformers takes for granted."""
    roberta = (plan.architecture or "").startswith(("XLMRoberta", "Roberta"))
    return {"position_embedding_type": "absolute"} if roberta else {}


def _scoring(architecture: str) -> str:
    """The name under which vLLM turns a language model into a scorer."""
    return architecture.removesuffix("ForCausalLM") + "ForSequenceClassification"
