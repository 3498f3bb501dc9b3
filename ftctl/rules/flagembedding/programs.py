"""The programs of FlagEmbedding, and rules as those of some of them."""

from __future__ import annotations

from dataclasses import replace

from ftctl.rules.rule import Rule

EMBEDDER = "embedder.encoder_only.base"
M3 = "embedder.encoder_only.m3"
DECODER_EMBEDDER = "embedder.decoder_only.base"
ICL = "embedder.decoder_only.icl"
RERANKER = "reranker.encoder_only.base"
DECODER_RERANKER = "reranker.decoder_only.base"
LAYERWISE = "reranker.decoder_only.layerwise"

EMBEDDERS = (EMBEDDER, M3, DECODER_EMBEDDER, ICL)
DECODER_EMBEDDERS = (DECODER_EMBEDDER, ICL)
RERANKERS = (RERANKER, DECODER_RERANKER, LAYERWISE)
ENCODERS = (EMBEDDER, M3, RERANKER)
DECODERS = (DECODER_EMBEDDER, ICL, DECODER_RERANKER, LAYERWISE)
PROGRAMS = (*EMBEDDERS, *RERANKERS)


def of(programs: tuple[str, ...], *rules: Rule) -> tuple[Rule, ...]:
    """The rules as those of the programs; their examples are tried with the first."""
    return tuple(replace(rule, command=programs[0], also=programs[1:]) for rule in rules)
