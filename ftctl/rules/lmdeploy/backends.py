"""Arguments that reach one of LMDeploy's two engines and are dropped by the other without a word."""

from __future__ import annotations

from ftctl.rules.condition import Condition, above, given, on, unless, when, written
from ftctl.rules.rule import Rule

SERVE = "cli/serve.py:api_server"
CONFIG = "messages.py:__post_init__"
PYTORCH: Condition = when("backend", "pytorch")
TURBOMIND: Condition = when("backend", "turbomind")
FP8 = ("fp8", "fp8_e4m3", "fp8_e5m2", "16", "17", 16, 17)
ONLY_PYTORCH = (
    "cudagraph_capture_batch_sizes", "device", "distributed_executor_backend", "dllm_block_length",
    "dllm_confidence_threshold", "dllm_denoising_steps", "dllm_unmasking_strategy", "eager_mode",
    "empty_init", "enable_eplb", "enable_microbatch", "enable_return_routed_experts", "kernel_block_size",
    "logprobs_mode", "migration_backend", "num_gpu_blocks", "piecewise_cudagraph_max_tokens",
    "prefix_cache_decode_state_interval", "prefix_cache_state_budget", "role",
)  # fmt: skip
ONLY_TURBOMIND = (
    "async", "communicator", "cp", "dist_init_addr", "max_prefill_iters", "moe_a2a_backend",
    "num_tokens_per_iter", "rope_scaling_factor",
)  # fmt: skip

RULES: tuple[Rule, ...] = (
    Rule(
        "adapters-need-pytorch", SERVE, written("adapters") & TURBOMIND, ("adapters", "backend"),
        "does nothing with TurboMind: the base model would answer alone", "set {backend}: pytorch",
        {"adapters": ["a=x"]}, {"adapters": ["a=x"], "backend": "pytorch"}, proof="silent",
    ),
    Rule(
        "pytorch-settings-with-turbomind", SERVE, written(*ONLY_PYTORCH) & TURBOMIND, ONLY_PYTORCH,
        "does nothing with TurboMind, which is taken unless backend says pytorch",
        "set deploy.native.backend: pytorch, or remove it",
        {"num_gpu_blocks": 10}, {"num_gpu_blocks": 10, "backend": "pytorch"}, proof="silent", each=written,
    ),
    Rule(
        "turbomind-settings-with-pytorch", SERVE, written(*ONLY_TURBOMIND) & PYTORCH, ONLY_TURBOMIND,
        "does nothing with the backend pytorch", "remove it",
        {"num_tokens_per_iter": 64, "backend": "pytorch"}, {"num_tokens_per_iter": 64},
        proof="silent", each=written,
    ),
    Rule(
        "cache-transfer-needs-pytorch", SERVE, given("kv_transfer_config") & TURBOMIND,
        ("kv_transfer_config", "backend"),
        "needs {backend} pytorch", "set {backend}: pytorch",
        {"kv_transfer_config": {"kv_connector": "x", "kv_role": "kv_both"}},
        {"kv_transfer_config": {"kv_connector": "x", "kv_role": "kv_both"}, "backend": "pytorch"},
    ),
    Rule(
        "fp8-cache-needs-pytorch", CONFIG, when("quant_policy", *FP8) & TURBOMIND,
        ("quant_policy", "backend"),
        "is a cache in FP8, which TurboMind does not have", "set {backend}: pytorch, or take int8",
        {"quant_policy": "fp8"}, {"quant_policy": "fp8", "backend": "pytorch"},
    ),
    Rule(
        "speculation-needs-pytorch", "serve/core/async_engine.py:__init__",
        given("speculative_algorithm") & TURBOMIND, ("speculative_algorithm", "backend"),
        "does nothing with TurboMind", "set {backend}: pytorch, or remove it",
        {"speculative_algorithm": "eagle3", "speculative_draft_model": "base"},
        {"speculative_algorithm": "eagle3", "speculative_draft_model": "base", "backend": "pytorch"},
        proof="silent",
    ),
    Rule(
        "nodes-need-an-address", "turbomind/turbomind.py:__init__",
        above("nnodes", 1) & ~on("dist_init_addr") & TURBOMIND, ("nnodes", "dist_init_addr"),
        "needs {dist_init_addr}, where the nodes find each other", "set {dist_init_addr}: HOST:PORT",
        {"nnodes": 2}, {"nnodes": 2, "dist_init_addr": "host:1"}, proof="later",
    ),
    Rule(
        "deepep-over-nccl", "turbomind/turbomind.py:update_parallel_config",
        above("ep", 1) & when("moe_a2a_backend", "deepep") & unless("communicator", "nccl") & TURBOMIND,
        ("moe_a2a_backend", "communicator"),
        "deepep works over {communicator} nccl only", "remove {communicator}",
        {"ep": 2, "tp": 2, "moe_a2a_backend": "deepep", "communicator": "cuda-ipc"},
        {"ep": 2, "tp": 2, "moe_a2a_backend": "deepep"}, proof="later",
    ),
    Rule(
        "ipc-on-one-node", "turbomind/turbomind.py:update_parallel_config",
        above("ep", 1) & above("nnodes", 1) & when("communicator", "cuda-ipc", "native") & TURBOMIND,
        ("communicator", "nnodes"),
        "reaches the GPUs of one machine only, and {nnodes} asks for more", "remove {communicator}",
        {"ep": 2, "tp": 2, "nnodes": 2, "dist_init_addr": "host:1", "communicator": "cuda-ipc"},
        {"ep": 2, "tp": 2, "nnodes": 2, "dist_init_addr": "host:1"}, proof="later",
    ),
)  # fmt: skip
