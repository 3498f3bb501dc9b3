"""sentence-transformers' files beside trained weights, so that every reader pools, cuts and prompts alike.

vLLM, sentence-transformers and FlagEmbedding each have another default for a folder that says nothing
(CLS or mean, normalised or not). The formats are sentence-transformers' own (seen with 6.2.0); the classes
bear the names of before 6.0, which every release and vLLM 0.32.0 know.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ftctl.artifacts.weights import read_json
from ftctl.errors import FtctlError
from ftctl.plan.model import RetrievalPlan
from ftctl.plan.serve_kind import query_suffix

MODULES, PROMPTS, LENGTH = "modules.json", "config_sentence_transformers.json", "sentence_bert_config.json"
POOLING_FOLDER, NORMALIZE_FOLDER, SCORE_FOLDER = "1_Pooling", "2_Normalize", "1_LogitScore"
CLASSES = "sentence_transformers.models"
LOGIT_SCORE = "sentence_transformers.cross_encoder.modules.logit_score.LogitScore"
SWITCHES = {
    "cls": "pooling_mode_cls_token",
    "mean": "pooling_mode_mean_tokens",
    "last_token": "pooling_mode_lasttoken",
}


def embedder_files(plan: RetrievalPlan, width: int) -> dict[str, str]:
    """The files of an embedder whose vectors have `width` numbers: path below the model's folder to text."""
    if plan.pooling not in SWITCHES:
        raise ValueError(f"no pooling of sentence-transformers is called {plan.pooling}")
    modules = [("", f"{CLASSES}.Transformer"), (POOLING_FOLDER, f"{CLASSES}.Pooling")]
    length = max(plan.query_max_length, plan.passage_max_length)
    files = {
        LENGTH: _text({"max_seq_length": length, "do_lower_case": False}),
        f"{POOLING_FOLDER}/config.json": _text(_pooling(plan.pooling, width)),
        PROMPTS: _text(_prompts(plan, "SentenceTransformer")),
    }
    if plan.normalize:
        modules.append((NORMALIZE_FOLDER, f"{CLASSES}.Normalize"))
        files[f"{NORMALIZE_FOLDER}/config.json"] = _text({})  # a folder without a file is lost in copies
    return {MODULES: _modules(modules), **files}


def reranker_files(plan: RetrievalPlan, yes: int | None) -> dict[str, str]:
    """The files of a reranker; `yes` is the id of the token whose logit a decoder's score is, else None.

    A cross-encoder's own config.json says the rest. FlagEmbedding reads a decoder's logit of "Yes" after
    query, passage and a fixed question (inference/reranker/decoder_only/base.py, 1.4.2); no length is
    written for it, because a reader would cut the question off.
    """
    files = {PROMPTS: _text(_prompts(plan, "CrossEncoder"))}
    if yes is None:
        return files
    modules = [("", f"{CLASSES}.Transformer"), (SCORE_FOLDER, LOGIT_SCORE)]
    return {
        MODULES: _modules(modules),
        LENGTH: _text({"transformer_task": "text-generation"}),
        f"{SCORE_FOLDER}/config.json": _text({"true_token_id": yes, "false_token_id": None}),
        **files,
    }


def _modules(modules: list[tuple[str, str]]) -> str:
    return _text(
        [
            {"idx": number, "name": str(number), "path": path, "type": kind}
            for number, (path, kind) in enumerate(modules)
        ]
    )


def _pooling(pooling: str, width: int) -> dict[str, Any]:
    switches = {switch: name == pooling for name, switch in SWITCHES.items()}
    return {"word_embedding_dimension": width, **switches, "include_prompt": True}


def _prompts(plan: RetrievalPlan, model_type: str) -> dict[str, Any]:
    prompts = {"query": plan.query_instruction or "", "document": plan.passage_instruction or ""}
    if suffix := query_suffix(plan):
        prompts["query_suffix"] = suffix
    return {"model_type": model_type, "prompts": prompts, "default_prompt_name": None}


def _text(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def write_files(folder: Path, files: Mapping[str, str]) -> None:
    """Write the files below `folder`, each whole or not at all; modules.json, which names others, is last."""
    for path, text in sorted(files.items(), key=lambda item: item[0] == MODULES):
        target = folder / path
        target.parent.mkdir(exist_ok=True)
        half = target.with_name(f".{target.name}.{os.getpid()}")
        half.write_text(text, encoding="utf-8")
        half.replace(target)


def describe_embedder(folder: Path, plan: RetrievalPlan) -> None:
    """Write an embedder's files beside its weights. Raises FtctlError where config.json has no width."""
    width = read_json(folder / "config.json").get("hidden_size")
    if not isinstance(width, int):
        raise FtctlError(
            f"{folder / 'config.json'}: it has no hidden_size", "the vectors' width is not known"
        )
    clear_truncation(folder)
    write_files(folder, embedder_files(plan, width))


def describe_reranker(folder: Path, plan: RetrievalPlan) -> None:
    """Write a reranker's files beside its weights. Raises FtctlError for a decoder without tokenizer.json."""
    clear_truncation(folder)
    yes = None if plan.encoder else yes_token(folder)[0]
    write_files(folder, reranker_files(plan, yes))


def describe(folder: Path, plan: RetrievalPlan) -> None:
    """Write what a trained embedder or reranker is beside its weights."""
    if plan.pooling is not None:
        describe_embedder(folder, plan)
    else:
        describe_reranker(folder, plan)


def yes_token(folder: Path) -> tuple[int, str]:
    """The token that FlagEmbedding's decoder rerankers score by, the first of "Yes": its id and its text."""
    from ftctl.data.tokens import tokenizer_of  # what most models do without

    if not (folder / "tokenizer.json").is_file():
        raise FtctlError(f"{folder} has no tokenizer.json", "save the model with a fast tokenizer")
    found = tokenizer_of(folder).encode("Yes", add_special_tokens=False)
    return found.ids[0], found.tokens[0]


def clear_truncation(folder: Path) -> None:
    """Take the training's own length out of tokenizer.json, where FlagEmbedding 1.4.2 leaves it."""
    file = folder / "tokenizer.json"
    if not file.is_file():
        return
    tokenizer = read_json(file)
    if tokenizer.get("truncation") or tokenizer.get("padding"):
        text = json.dumps({**tokenizer, "truncation": None, "padding": None}, ensure_ascii=False)
        write_files(folder, {file.name: text})
