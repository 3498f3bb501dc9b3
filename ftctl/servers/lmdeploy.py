"""LMDeploy's API server: a plan by its arguments' names (0.18.0), for its rules; it is not started yet."""

from __future__ import annotations

from typing import Any

from ftctl.errors import UsageError
from ftctl.job.model import Deploy
from ftctl.plan.model import ServePlan
from ftctl.servers.native import nested

# What only vLLM has, by the job's key below deploy.
ONLY_VLLM = ("pipeline_parallel", "kv_cache_memory", "log_requests")


def arguments(plan: ServePlan, deploy: Deploy) -> dict[str, Any]:
    """What the server would be told. Raises UsageError for a key that it has no argument for."""
    for key in ONLY_VLLM:
        asked = getattr(deploy, key)
        if asked is True or (asked and asked != 1):
            raise UsageError(f"deploy.{key}: LMDeploy has nothing like it", "remove it, or set engine: vllm")
    if deploy.dtype == "float32":
        raise UsageError("deploy.dtype: LMDeploy has no float32", "take bfloat16, or set engine: vllm")
    derived = {
        "dtype": deploy.dtype,
        "session_len": plan.max_length,
        "tp": plan.tensor_parallel,
        "dp": plan.data_parallel,
        # A share of what the weights leave free, where vLLM's is of the whole GPU: never derived.
        "cache_max_entry_count": deploy.gpu_memory_share,
        "max_batch_size": deploy.max_concurrency,
        "enable_prefix_caching": deploy.prefix_caching,
        "quant_policy": None if deploy.kv_cache_dtype == "auto" else deploy.kv_cache_dtype,
        "model_format": deploy.quantization,
        "tool_call_parser": deploy.tool_parser,
        "reasoning_parser": deploy.reasoning_parser,
        "chat_template": plan.chat_template,
        "trust_remote_code": True if plan.trust_remote_code else None,
        # Only its PyTorch engine knows adapters.
        **({"adapters": [plan.name], "backend": "pytorch"} if plan.adapter == "attach" else {}),
    }
    told = {**derived, **nested(deploy.native)}
    return {key: value for key, value in told.items() if value is not None}
