"""All rules of FlagEmbedding, in one table, and the small valid jobs that their examples change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ftctl.rules.book import Book
from ftctl.rules.flagembedding import data, decoders, embedders, packages, rerankers, training
from ftctl.rules.flagembedding.defaults import DEFAULTS
from ftctl.rules.flagembedding.programs import DECODER_RERANKER, DECODERS, ICL, LAYERWISE, PROGRAMS, RERANKERS
from ftctl.rules.rule import Rule

GROUPS: Mapping[str, tuple[Rule, ...]] = {
    "Steps, strategies and precision": training.RULES,
    "Rows and texts": data.RULES,
    "Embedders": embedders.LOSS + embedders.MRL,
    "Encoders": embedders.ENCODER_RULES,
    "M3": embedders.M3_RULES,
    "Decoders: LoRA": decoders.LORA_RULES,
    "Decoders: embedders": decoders.EMBEDDER_RULES,
    "Decoders: learning from examples": decoders.ICL_RULES,
    "Rerankers": rerankers.RULES,
    "Packages": packages.RULES,
}
# The small valid training that the examples are added to, and what a program needs beside it.
BASE: Mapping[str, Any] = {
    "model_name_or_path": "encoder",
    "train_data": ["rows.jsonl"],
    "output_dir": "output",
    "use_cpu": True,
    "report_to": "none",
    "per_device_train_batch_size": 2,
    "train_group_size": 2,
}


def _base(program: str) -> dict[str, Any]:
    small = dict(BASE)
    if program in DECODERS:
        small |= {"model_name_or_path": "decoder", "use_lora": True, "save_merged_lora_model": True}
    if program in RERANKERS:
        small |= {"dataloader_drop_last": True}
    elif program in DECODERS:
        small |= {"sentence_pooling_method": "last_token"}
    if program == ICL:
        small |= {"same_dataset_within_batch": True, "query_instruction_for_retrieval": ""}
        small |= {"query_max_len": 1024}
    if program == LAYERWISE:  # its merging fetches a configuration
        small |= {"save_merged_lora_model": False}
    if program == DECODER_RERANKER:
        small |= {"model_type": "decoder"}
    return small


BASES = {program: _base(program) for program in PROGRAMS}
BOOK = Book("flagembedding", "FlagEmbedding", "1.4.2", GROUPS, BASES, DEFAULTS)
