"""Engine arguments that a `native:` block must leave alone, and the job's own keys for the same thing.

Source of the names: llamafactory 0.9.5 `hparams`, transformers 5.6.0 `TrainingArguments`, FlagEmbedding
1.4.2 `arguments.py`, vllm 0.32.0 `--help`, lmdeploy 0.18.0 `serve api_server --help`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ftctl.job.node import lookup

# ftctl decides these from the job and the run; the value is the job's key for it, or "". The tables are
# named after the block; a training engine with other names than LLaMA-Factory's has one of its own.
OWNED: Mapping[str, Mapping[str, str]] = {
    "train": {
        "output_dir": "", "dataset": "data.train", "dataset_dir": "data.train", "eval_dataset": "data.eval",
        "val_size": "data.eval", "do_train": "", "do_eval": "data.eval", "do_predict": "",
        "stage": "train.task", "finetuning_type": "train.method", "model_name_or_path": "model",
        "resume_from_checkpoint": "", "overwrite_output_dir": "", "use_cpu": "resources.gpus",
        "no_cuda": "resources.gpus", "export_dir": "", "api_key": "",
    },
    "flagembedding": {
        "output_dir": "", "train_data": "data.train", "do_train": "", "do_eval": "", "do_predict": "",
        "model_name_or_path": "model", "model_type": "train.variant", "use_lora": "train.method",
        "save_merged_lora_model": "train.method", "only_merge_lora_model": "", "resume_from_checkpoint": "",
        "overwrite_output_dir": "", "use_cpu": "resources.gpus", "no_cuda": "resources.gpus",
    },
    "deploy": {
        "model": "model", "host": "deploy.host", "port": "deploy.port", "api_key": "deploy.api_key",
        "served_model_name": "deploy.name", "uds": "", "middleware": "", "enable_lora": "deploy.adapters",
        "lora_modules": "deploy.adapters", "max_lora_rank": "deploy.adapters", "config": "", "headless": "",
        "model_path": "model", "model_name": "deploy.name", "server_name": "deploy.host",
        "server_port": "deploy.port", "api_keys": "deploy.api_key", "adapters": "deploy.adapters",
        "ssl": "deploy.tls", "ssl_keyfile": "deploy.tls", "ssl_certfile": "deploy.tls", "proxy_url": "",
        "allow_terminate_by_client": "",
    },
}  # fmt: skip

# These may be set natively, unless the job's own key for the same thing is written as well.
SAME: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "train": {
        "learning_rate": ("train.learning_rate",), "num_train_epochs": ("train.epochs",),
        "max_steps": ("train.max_steps",), "cutoff_len": ("train.max_length",),
        "per_device_train_batch_size": ("train.micro_batch_size", "train.batch_size"),
        "gradient_accumulation_steps": ("train.batch_size",), "packing": ("train.packing",),
        "neat_packing": ("train.packing",), "lr_scheduler_type": ("train.scheduler",),
        "warmup_ratio": ("train.warmup",), "warmup_steps": ("train.warmup",),
        "weight_decay": ("train.weight_decay",), "max_grad_norm": ("train.max_grad_norm",),
        "optim": ("train.optimizer",), "seed": ("train.seed",), "bf16": ("train.precision",),
        "fp16": ("train.precision",), "pure_bf16": ("train.precision",), "flash_attn": ("train.attention",),
        "enable_liger_kernel": ("train.kernels",), "use_unsloth": ("train.kernels",),
        "gradient_checkpointing": ("train.gradient_checkpointing",),
        "disable_gradient_checkpointing": ("train.gradient_checkpointing",),
        "eval_steps": ("train.eval_every",), "eval_strategy": ("train.eval_every",),
        "report_to": ("train.report_to",), "project": ("train.tracking.project",),
        "logging_steps": ("train.log_every",), "save_steps": ("train.checkpoints.every",),
        "save_strategy": ("train.checkpoints.every",), "save_total_limit": ("train.checkpoints.keep",),
        "save_only_model": ("train.checkpoints.weights_only",),
        "metric_for_best_model": ("train.checkpoints.keep_best",),
        "greater_is_better": ("train.checkpoints.keep_best",),
        "load_best_model_at_end": ("train.checkpoints.keep_best",),
        "early_stopping_steps": ("train.early_stopping",), "lora_rank": ("train.lora.rank",),
        "lora_alpha": ("train.lora.alpha",), "lora_dropout": ("train.lora.dropout",),
        "lora_target": ("train.lora.targets",), "use_rslora": ("train.lora.rslora",),
        "use_dora": ("train.lora.dora",), "freeze_trainable_layers": ("train.freeze.layers",),
        "freeze_trainable_modules": ("train.freeze.modules",),
        "freeze_extra_modules": ("train.freeze.extra",),
        "quantization_bit": ("train.quantization",), "quantization_method": ("train.quantization.method",),
        "quantization_type": ("train.quantization.type",),
        "double_quantization": ("train.quantization.double",), "template": ("model.template",),
        "model_revision": ("model.revision",), "trust_remote_code": ("model.trust_remote_code",),
        "use_modelscope_hub": ("model.hub",), "mix_strategy": ("data.mix",),
        "preprocessing_num_workers": ("data.workers",),
    },
    "flagembedding": {
        "learning_rate": ("train.learning_rate",), "num_train_epochs": ("train.epochs",),
        "max_steps": ("train.max_steps",),
        "per_device_train_batch_size": ("train.micro_batch_size", "train.batch_size"),
        "gradient_accumulation_steps": ("train.batch_size",), "lr_scheduler_type": ("train.scheduler",),
        "warmup_ratio": ("train.warmup",), "warmup_steps": ("train.warmup",),
        "weight_decay": ("train.weight_decay",), "max_grad_norm": ("train.max_grad_norm",),
        "optim": ("train.optimizer",), "seed": ("train.seed",), "bf16": ("train.precision",),
        "fp16": ("train.precision",), "use_flash_attn": ("train.attention",),
        "gradient_checkpointing": ("train.gradient_checkpointing",),
        "report_to": ("train.report_to",), "project": ("train.tracking.project",),
        "logging_steps": ("train.log_every",), "save_steps": ("train.checkpoints.every",),
        "save_strategy": ("train.checkpoints.every",), "save_total_limit": ("train.checkpoints.keep",),
        "save_only_model": ("train.checkpoints.weights_only",), "lora_rank": ("train.lora.rank",),
        "lora_alpha": ("train.lora.alpha",), "lora_dropout": ("train.lora.dropout",),
        "target_modules": ("train.lora.targets",), "trust_remote_code": ("model.trust_remote_code",),
        "train_group_size": ("train.train_group_size",), "query_max_len": ("train.query_max_length",),
        "passage_max_len": ("train.passage_max_length",), "temperature": ("train.temperature",),
        "sentence_pooling_method": ("train.pooling",), "normalize_embeddings": ("train.normalize",),
        "query_instruction_for_retrieval": ("train.query_instruction",),
        "query_instruction_for_rerank": ("train.query_instruction",),
        "negatives_cross_device": ("train.negatives_across_devices",),
        "knowledge_distillation": ("train.distillation",),
    },
    "deploy": {
        "max_model_len": ("deploy.max_length",), "dtype": ("deploy.dtype",),
        "tensor_parallel_size": ("deploy.tensor_parallel",),
        "pipeline_parallel_size": ("deploy.pipeline_parallel",),
        "data_parallel_size": ("deploy.data_parallel",),
        "gpu_memory_utilization": ("deploy.gpu_memory_share",),
        "kv_cache_memory_bytes": ("deploy.kv_cache_memory",), "kv_cache_dtype": ("deploy.kv_cache_dtype",),
        "quantization": ("deploy.quantization",), "max_num_seqs": ("deploy.max_concurrency",),
        "enable_prefix_caching": ("deploy.prefix_caching",), "tool_call_parser": ("deploy.tool_parser",),
        "reasoning_parser": ("deploy.reasoning_parser",), "enable_log_requests": ("deploy.log_requests",),
        "trust_remote_code": ("model.trust_remote_code",), "revision": ("model.revision",),
        "session_len": ("deploy.max_length",), "tp": ("deploy.tensor_parallel",),
        "dp": ("deploy.data_parallel",), "cache_max_entry_count": ("deploy.gpu_memory_share",),
        "max_batch_size": ("deploy.max_concurrency",), "quant_policy": ("deploy.kv_cache_dtype",),
        "model_format": ("deploy.quantization",), "speculative_config": ("deploy.speculative",),
        "speculative_algorithm": ("deploy.speculative",), "speculative_draft_model": ("deploy.speculative",),
        "speculative_num_draft_tokens": ("deploy.speculative",), "log_level": ("deploy.log_requests",),
    },
}  # fmt: skip

_SECRET = re.compile(r"(?:^|_)(?:(?<!per_)token|password|secret|api_key|auth_key)$")


def table(document: Mapping[str, Any], block: str) -> str:
    """Which of the tables holds the names of the engine that gets a block's `native`."""
    if block != "train":
        return block
    by_task = lookup(document, ("train", "task")) in ("embedding", "reranker")
    engine = lookup(document, ("train", "engine"))
    return "flagembedding" if engine == "flagembedding" or (by_task and engine in (None, "auto")) else block


def own_keys(argument: str, *names: str) -> tuple[str, ...]:
    """The job's own keys for an engine's argument, by the tables of these names (see `table`)."""
    owned = (OWNED[name].get(argument) for name in names)
    same = (SAME[name].get(argument, ()) for name in names)
    found = (*(key for key in owned if key), *(key for keys in same for key in keys))
    return tuple(dict.fromkeys(found))


def conflicts(document: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Native arguments that cannot stand: path, message and remedy of each."""
    for block in ("train", "deploy"):
        native = lookup(document, (block, "native"))
        for argument in native if isinstance(native, Mapping) else ():
            name = argument.lstrip("-").replace("-", "_")
            if said := _conflict(document, table(document, block), name):
                yield (block, "native", argument), *said


def _conflict(document: Mapping[str, Any], names: str, name: str) -> tuple[str, str] | None:
    if name in OWNED[names]:
        key = OWNED[names][name]
        return "is set by ftctl itself", f"remove it and set {key}" if key else "remove it"
    if _SECRET.search(name):
        return (
            "is a secret, and a run keeps what native says",
            "set the engine's environment variable instead",
        )
    keys = SAME[names].get(name, ())
    for key in keys:
        if _written(document, key):
            return f"native.{name} and {key} are both set", _instead(keys, key)
    return None


def _instead(keys: tuple[str, ...], written: str) -> str:
    """The way out where the argument and the job's key `written` clash; `keys[0]` says the same as it."""
    if written == keys[0]:
        return "remove one"
    return f"set {keys[0]}, or leave it here and drop {written.rpartition('.')[2]}"


def _written(document: Mapping[str, Any], key: str) -> bool:
    return lookup(document, key.split(".")) is not None
