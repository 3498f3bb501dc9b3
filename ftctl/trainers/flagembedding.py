"""FlagEmbedding 1.4.2: how a plan becomes its native file and its command.

Its arguments are those of its dataclasses and of transformers 5.23.0, which has no `warmup_ratio` and no
`overwrite_output_dir`. Everything is rendered relative to the run directory, the working directory.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ftctl.events import Event, parse
from ftctl.job.training import Train
from ftctl.plan.model import Plan, RetrievalPlan, TrainPlan
from ftctl.rendered import Rendered
from ftctl.trainers.retrieval_data import RetrievalData, retrieval_data
from ftctl.trainers.start import (
    CACHE,
    FILE,
    INSIDE,
    command,
    environment,
    optimization,
    reporting,
    strategy,
    training,
)

NAME = "flagembedding"
TASKS = frozenset({"embedding", "reranker"})
RUNNER = INSIDE / "flagembedding_runner.py"
OUTPUT = "output"
MERGED = "output/merged_model"  # the engine's own name for it
KINDS = {"embedding": "embedder", "reranker": "reranker"}
# What its decoders adapt where it is not told (`default_target_modules`).
LINEAR = ("v_proj", "q_proj", "k_proj", "gate_proj", "down_proj", "o_proj", "up_proj")
NOT_LINEAR = frozenset(
    {"embed_tokens", "lm_head", "linear_head", "wte", "wpe", "word_embeddings", "embed_in", "embed_out", "*"}
)


def render(plan: Plan) -> Rendered:
    """The training command, `native/train.yaml`, and the data files under names of their own."""
    return _rendered(plan, arguments(plan))


def render_resume(plan: Plan, checkpoint: str) -> Rendered:
    """The same, going on from a checkpoint: a folder of the run directory."""
    return _rendered(plan, arguments(plan) | {"resume_from_checkpoint": checkpoint})


def _rendered(plan: Plan, said: Mapping[str, Any]) -> Rendered:
    text = yaml.safe_dump(dict(said), sort_keys=False, allow_unicode=True, width=4096)
    start = command(plan, str(RUNNER), program(plan), FILE)
    return Rendered(start, _environment(plan), {FILE: text}, data_of(plan).links, (CACHE,))


def render_data(plan: Plan, python: str) -> Rendered | None:
    """The conversion of what the engine cannot read, or must not see because it is held out."""
    return data_of(plan, python).convert


def data_of(plan: Plan, python: str = "python") -> RetrievalData:
    """The data of the run, converted by `python` where it has to be."""
    _, decided = training(plan)
    return retrieval_data(plan.job, plan.facts, _retrieval(decided).query_instruction, python)


def arguments(plan: Plan) -> dict[str, Any]:
    """Everything that `native/train.yaml` says, under the engine's names; `native` wins."""
    train, decided = training(plan)
    retrieval = _retrieval(decided)
    found = _common(plan, train, decided) | _rows(plan, retrieval)
    found |= _embedder(retrieval, decided) if train.task == "embedding" else _reranker(plan, retrieval)
    if not retrieval.encoder:
        found |= _decoder(plan, train, retrieval)
    found |= dict(train.native)
    if found.get("same_dataset_within_batch"):  # it writes a missing instruction as "None" before queries
        found.setdefault("query_instruction_for_retrieval", "")
    return found


def program(plan: Plan) -> str:
    """The entry module below FlagEmbedding.finetune: `embedder.encoder_only.base` and its kind."""
    train, decided = training(plan)
    model, _, form = _retrieval(decided).variant.rpartition("-")
    return f"{KINDS[train.task]}.{model.replace('-', '_')}.{form}"


def render_merge(plan: Plan) -> Rendered | None:
    """Nothing: the engine merges an adapter itself, at the end of the training."""
    return None


def progress(line: str) -> Event | None:
    """The runner writes our own events (see `inside/flagembedding_runner.py`), one a line."""
    return parse(line)


def results(plan: Plan) -> Mapping[str, Path]:
    """Where the result lies, relative to the run directory."""
    _, decided = training(plan)
    if _retrieval(decided).method != "lora":
        return {"model": Path(OUTPUT)}
    merged = {"merged": Path(MERGED)} if merges(plan) else {}
    return {"adapter": Path(OUTPUT), **merged}


def merges(plan: Plan) -> bool:
    """Whether the engine can merge the adapter.

    FlagEmbedding 1.4.2 merges the adapter of a raw MiniCPM under another model's configuration, from the Hub.
    """
    _, decided = training(plan)
    layerwise = _retrieval(decided).variant == "decoder-only-layerwise"
    raw = layerwise and plan.facts.model.retrieval.start_layer is None
    return _retrieval(decided).method == "lora" and not raw


def _retrieval(decided: TrainPlan) -> RetrievalPlan:
    if decided.retrieval is None:
        raise ValueError("a plan of another engine was given to FlagEmbedding")
    return decided.retrieval


def _environment(plan: Plan) -> dict[str, str | None]:
    """Its log shows HF_TOKEN in plain text, so a training that needs no token gets none."""
    return environment(plan) | ({"HF_TOKEN": None} if plan.job.model.local else {})


def _common(plan: Plan, train: Train, decided: TrainPlan) -> dict[str, Any]:
    """What every entry module is told, by transformers' names."""
    model, kept = plan.job.model, train.checkpoints
    found: dict[str, Any] = {
        "model_name_or_path": model.path,
        "trust_remote_code": model.trust_remote_code,
        "output_dir": OUTPUT,
        "do_train": True,  # without it a folder that is not empty is overwritten in silence
        **optimization(train, decided),
        "gradient_checkpointing": decided.gradient_checkpointing,
        "logging_steps": train.log_every,
        **reporting(plan),
        "ddp_timeout": 180_000_000,
        **strategy("save", "no" if kept.every == "never" else kept.every),
        "save_only_model": kept.weights_only,
    }
    limits = {"max_steps": train.max_steps, "save_total_limit": kept.keep}
    return found | {name: value for name, value in limits.items() if value is not None}


def _rows(plan: Plan, retrieval: RetrievalPlan) -> dict[str, Any]:
    """What the rows are and how they are cut."""
    return {
        "train_data": list(data_of(plan).train),
        "train_group_size": retrieval.train_group_size,
        "query_max_len": retrieval.query_max_length,
        "passage_max_len": retrieval.passage_max_length,
        "knowledge_distillation": retrieval.distillation,
    }


def _embedder(retrieval: RetrievalPlan, decided: TrainPlan) -> dict[str, Any]:
    found: dict[str, Any] = {
        "temperature": retrieval.temperature,
        "sentence_pooling_method": retrieval.pooling,
        "normalize_embeddings": retrieval.normalize,
    }
    if decided.world_size > 1:  # one process would crash on it
        found["negatives_cross_device"] = retrieval.negatives_across_devices
    if retrieval.variant == "decoder-only-icl":
        found["same_dataset_within_batch"] = True  # it has no other data set
    return found | _instructions(retrieval, "retrieval")


def _reranker(plan: Plan, retrieval: RetrievalPlan) -> dict[str, Any]:
    """Its loss takes every batch for a whole one, and its inputs follow from `model_type`."""
    found: dict[str, Any] = {"dataloader_drop_last": True}
    if retrieval.variant != "decoder-only-layerwise":
        found["model_type"] = "encoder" if retrieval.encoder else "decoder"
    else:  # a fine-tuned one brings its own layers
        raw = plan.facts.model.retrieval.start_layer is None
        found["model_type"] = "from_raw_model" if raw else "from_finetuned_model"
    return found | _instructions(retrieval, "rerank")


def _instructions(retrieval: RetrievalPlan, purpose: str) -> dict[str, Any]:
    named = {"query": retrieval.query_instruction, "passage": retrieval.passage_instruction}
    return {f"{name}_instruction_for_{purpose}": text for name, text in named.items() if text}


def _decoder(plan: Plan, train: Train, retrieval: RetrievalPlan) -> dict[str, Any]:
    found: dict[str, Any] = {
        "use_lora": retrieval.method == "lora",
        "use_flash_attn": train.attention == "fa2",
    }
    if retrieval.method != "lora":
        return found
    lora = train.lora
    return found | {
        "lora_rank": lora.rank,
        "lora_alpha": 2 * lora.rank if lora.alpha is None else lora.alpha,
        "lora_dropout": lora.dropout,
        "target_modules": list(lora.targets or _linear(plan)),
        "save_merged_lora_model": merges(plan),
    }


def _linear(plan: Plan) -> tuple[str, ...]:
    """Every linear layer of the model; FlagEmbedding's own list where its modules are not known."""
    names = {module.rpartition(".")[2] for module in plan.facts.model.modules} - NOT_LINEAR
    return tuple(sorted(names)) or LINEAR
