"""Decide what a model is served as: a generator of text, an embedder or a reranker."""

from __future__ import annotations

from dataclasses import dataclass

from ftctl.errors import UsageError
from ftctl.facts.model import ModelFacts
from ftctl.plan.model import RetrievalPlan

# vLLM's names of what FlagEmbedding calls pooling.
POOLING_TYPES = {"cls": "CLS", "mean": "MEAN", "last_token": "LAST"}
ENDPOINTS = {
    "generate": ("/v1/chat/completions",),
    "embed": ("/v1/embeddings",),
    "score": ("/rerank", "/score"),
}
ICL_SUFFIX = "\nResponse:"  # what FlagEmbedding 1.4.2 trains with; its inference has another default
SCORE = "LogitScore"  # sentence-transformers' module of a reranker that is a language model


@dataclass(frozen=True)
class Served:
    """How a model is served: `kind` is generate, embed or score.

    `pooling` (cls, mean, last_token) and `normalize` are an embedder's. `head` says where a reranker's score
    comes from: label, its one output; yes, a language model's logit of "Yes". The prompts stand in front of
    every query and every passage, the suffix ends every query.
    """

    kind: str
    reason: str
    pooling: str | None = None
    normalize: bool | None = None
    head: str | None = None
    query_prompt: str | None = None
    passage_prompt: str | None = None
    query_suffix: str | None = None


def served_as(model: ModelFacts, trained: RetrievalPlan | None) -> Served:
    """What `model` is served as; `trained` is how it is going to be trained, None where it is as it lies.

    Raises UsageError for what no server of this version serves.
    """
    if trained is not None:
        return _trained(trained)
    said = model.retrieval
    prompts = {"query_prompt": said.query_prompt, "passage_prompt": said.passage_prompt}
    if said.query_suffix is not None:
        prompts["query_suffix"] = said.query_suffix
    architecture = model.architecture or ""
    if architecture.endswith("ForSequenceClassification"):
        return _classifier(architecture, model)
    if said.start_layer is not None:
        raise _layerwise()
    if SCORE in said.others:
        reason = 'its modules.json says that the logit of "Yes" is its score'
        return _yes(reason, said.query_prompt, said.passage_prompt)
    if said.pooling is not None:
        pooling = _known(said.pooling)
        return Served("embed", "its modules.json says so", pooling, said.normalize is True, **prompts)
    if architecture.endswith(("Model", "ForMaskedLM")):
        reason = "an encoder that does not say how it pools: CLS, as FlagEmbedding and vLLM do; not verified"
        return Served("embed", reason, "cls", True, **prompts)
    return Served("generate", "a language model" if architecture else "the model is not here yet")


def _trained(plan: RetrievalPlan) -> Served:
    query, passage = plan.query_instruction, plan.passage_instruction
    if plan.variant == "decoder-only-layerwise":
        raise _layerwise()
    if plan.pooling is None:
        if not plan.encoder:
            return _yes("as it is trained", query, passage)
        return Served("score", "as it is trained", head="label", query_prompt=query, passage_prompt=passage)
    return Served(
        "embed",
        "as it is trained",
        pooling=_known(plan.pooling),
        normalize=plan.normalize is True,
        query_prompt=query,
        passage_prompt=passage,
        query_suffix=query_suffix(plan),
    )


def query_suffix(plan: RetrievalPlan) -> str | None:
    """What ends every query of an embedder that is trained by `plan`."""
    return ICL_SUFFIX if plan.variant == "decoder-only-icl" else None


def _yes(reason: str, query: str | None, passage: str | None) -> Served:
    return Served("score", reason, head="yes", query_prompt=query, passage_prompt=passage)


def _classifier(architecture: str, model: ModelFacts) -> Served:
    said = model.retrieval
    if said.labels is not None and said.labels != 1:
        raise UsageError(
            f"{architecture} with {said.labels} labels is a classifier, and only one label makes a score",
            "deploy a reranker (one label), an embedder or a language model",
        )
    reason = "a sequence classifier with one label"
    return Served(
        "score", reason, head="label", query_prompt=said.query_prompt, passage_prompt=said.passage_prompt
    )


def _known(pooling: str) -> str:
    if pooling not in POOLING_TYPES:
        raise UsageError(
            f"the model pools by {pooling}, which vLLM does not do", f"it does {', '.join(POOLING_TYPES)}"
        )
    return pooling


def _layerwise() -> UsageError:
    return UsageError(
        "vLLM cannot serve a layerwise reranker: it has no scores from the layers in between",
        "leave deploy: out and score with FlagEmbedding's LayerWiseFlagLLMReranker, or train "
        "decoder-only-base, whose scores vLLM gives exactly",
    )
