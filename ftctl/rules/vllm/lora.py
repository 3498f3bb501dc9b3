"""Adapters beside the base model: a job asks for them with `deploy.adapter: attach`."""

from __future__ import annotations

from ftctl.rules.condition import fact, more, on, written
from ftctl.rules.rule import Rule
from ftctl.rules.vllm.speculation import TOKENS, speculative_tokens

ONLY_WITH_LORA = (
    "max_loras", "max_cpu_loras", "lora_dtype", "lora_target_modules", "fully_sharded_loras",
    "specialize_active_lora", "max_lora_cls_labels", "enable_tower_connector_lora",
    "enable_mixed_moe_lora_format", "enable_moe_shared_loras",
)  # fmt: skip

RULES: tuple[Rule, ...] = (
    Rule(
        "cpu-loras-hold-loras", "config/lora.py:_validate_lora_config",
        on("enable_lora") & on("max_cpu_loras") & more("max_loras", "max_cpu_loras"),
        ("max_cpu_loras", "max_loras"),
        "is under {max_loras}", "raise it, or lower {max_loras}",
        {"enable_lora": True, "max_loras": 2, "max_cpu_loras": 1},
        {"enable_lora": True, "max_loras": 2, "max_cpu_loras": 2},
    ),
    Rule(
        "lora-settings-without-lora", "engine/arg_utils.py:create_engine_config",
        written(*ONLY_WITH_LORA) & ~on("enable_lora"), ONLY_WITH_LORA,
        "does nothing: no adapter is attached", "set deploy.adapter: attach, or remove it",
        {"max_loras": 2}, {"max_loras": 2, "enable_lora": True}, proof="silent", each=written,
    ),
    Rule(
        "lora-batch-holds-drafts", "engine/arg_utils.py:create_engine_config",
        on("enable_lora") & TOKENS
        & fact("`max_num_batched_tokens` < `max_num_seqs` × (draft tokens + 1)", lambda setting: (
            (setting.number("max_num_batched_tokens") or float("inf"))
            < (setting.number("max_num_seqs") or 0) * ((speculative_tokens(setting) or 0) + 1)
        )),
        ("max_num_batched_tokens", "max_num_seqs", "speculative_config", "spec_tokens"),
        "is too small for {max_num_seqs} requests with their draft tokens and an adapter",
        "raise it, or draft fewer tokens",
        {"enable_lora": True, "max_num_batched_tokens": 32, "max_num_seqs": 16,
         "spec_method": "ngram", "spec_tokens": 3},
        {"enable_lora": True, "max_num_batched_tokens": 64, "max_num_seqs": 16,
         "spec_method": "ngram", "spec_tokens": 3},
    ),
)  # fmt: skip
