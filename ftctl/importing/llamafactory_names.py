"""The names of LLaMA-Factory 0.9.5's arguments and their defaults, from the schema of the engine."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from ftctl.engine_schema.files import engine_schema

# Those of its eval command, which the schema does not hold: 0.9.5 no longer runs it.
_EVALUATION = frozenset(("batch_size", "download_mode", "lang", "n_shot", "save_dir", "task", "task_dir"))

# Needs another program (mcore_adapter, with USE_MCA=1), whose arguments the parser refuses without it.
MEGATRON = frozenset(
    """
    account_for_embedding_in_pipeline_split apply_rope_fusion bias_activation_fusion context_parallel_size
    delay_wgrad_compute expert_model_parallel_size expert_tensor_parallel_size megatron_save_interval
    moe_grouped_gemm moe_router_dtype moe_shared_expert_overlap moe_token_dispatcher_type
    overlap_grad_reduce overlap_moe_expert_parallel_comm overlap_param_gather
    pipeline_model_parallel_size recompute_granularity recompute_method recompute_num_layers
    sequence_parallel tensor_model_parallel_size transformer_impl use_distributed_optimizer
    virtual_pipeline_model_parallel_size
    """.split()  # noqa: SIM905 - as above
)

# Names that earlier releases took, and what became of them.
RENAMED: Mapping[str, str] = {
    "evaluation_strategy": "eval_strategy",
    "per_gpu_train_batch_size": "per_device_train_batch_size",
    "per_gpu_eval_batch_size": "per_device_eval_batch_size",
    "new_special_tokens": "add_special_tokens",
    "visual_inputs": "",
    "booster": "enable_liger_kernel or use_unsloth",
    "group_by_length": "train_sampling_strategy: group_by_length",
    "no_cuda": "use_cpu",
    "save_safetensors": "",
    "oft_targets": "oft_target",
}


@cache
def arguments() -> frozenset[str]:
    """Every argument of training, export, inference and evaluation."""
    return _EVALUATION | defaults().keys()


@cache
def defaults() -> Mapping[str, Any]:
    """What the engine takes where nothing is written; None: nothing."""
    schema = engine_schema("llamafactory") or {}
    found = {name: said.get("default") for name, said in schema["properties"].items()}
    return found | {"packing": False}  # unset in a training of sft, where it means no
