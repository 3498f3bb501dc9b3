"""What vLLM 0.32.0 takes where nothing is written; a test asks the engine."""

from __future__ import annotations

from ftctl.rules.setting import Arguments

DEFAULTS: Arguments = {
    "all2all_backend": "allgather_reducescatter", "data_parallel_backend": "mp", "data_parallel_size": 1,
    "dbo_decode_token_threshold": 32, "dbo_prefill_token_threshold": 512, "decode_context_parallel_size": 1,
    "long_prefill_token_threshold": 0, "max_loras": 1, "mamba_ssm_cache_dtype": "auto", "nnodes": 1,
    "node_rank": 0, "offload_backend": "auto", "offload_group_size": 0, "offload_num_in_group": 1,
    "performance_mode": "balanced", "per_request_spec_decode_metrics": "none", "pipeline_parallel_size": 1,
    "prefill_context_parallel_size": 1, "runner": "auto", "tensor_parallel_size": 1, "ubatch_size": 0,
}  # fmt: skip
