"""What the PyTorch engine, the adapters and speculation ask of their settings."""

from __future__ import annotations

from ftctl.rules.condition import above, absent, below, fact, given, off, unless, when, written
from ftctl.rules.lmdeploy.backends import CONFIG, PYTORCH
from ftctl.rules.rule import Rule
from ftctl.rules.setting import Setting

CLI = "cli/utils.py"
TORCH = {"backend": "pytorch"}
DRAFT = ("speculative_draft_model", "speculative_num_draft_tokens")


def _kernel_block(setting: Setting) -> int:
    """Tokens in a block of the kernel; -1 stands for those of a block of the cache."""
    found = setting.number("kernel_block_size")
    return int((setting.number("cache_block_seq_len") or 64) if found in (None, -1) else found or 0)


def _ranks(setting: Setting) -> int:
    """Ranks that share one model: those of the experts where there are any, else those of the tensors."""
    experts = int(setting.number("ep") or 1)
    return experts if experts > 1 else int(setting.number("tp") or 1)


def _adapters(setting: Setting) -> list[str]:
    found = setting.get("adapters")
    return [str(one) for one in found] if isinstance(found, list) else []


def _named_twice(setting: Setting) -> bool:
    names = [one.partition("=")[0].strip() for one in _adapters(setting)]
    return len(names) > 1 and len(names) != len(set(names))


RULES: tuple[Rule, ...] = (
    Rule(
        "cache-share-below-one", CONFIG,
        PYTORCH & fact("`cache_max_entry_count` ≥ 1", lambda setting: (
            (setting.number("cache_max_entry_count") or 0) >= 1
        )),
        ("cache_max_entry_count",),
        "is not under 1: the backend pytorch takes a share of the free memory", "write a share such as 0.8",
        {"cache_max_entry_count": 1, **TORCH}, {"cache_max_entry_count": 0.8, **TORCH},
    ),
    Rule(
        "kernel-block-power-of-two", CONFIG,
        PYTORCH & fact("a kernel block under 16 or no power of two", lambda setting: (
            _kernel_block(setting) < 16 or _kernel_block(setting) & (_kernel_block(setting) - 1) != 0
        )),
        ("kernel_block_size", "cache_block_seq_len"),
        "is not 16, 32, 64 or another power of two", "write 64",
        {"kernel_block_size": 24, "cache_block_seq_len": 48, **TORCH},
        {"kernel_block_size": 16, "cache_block_seq_len": 48, **TORCH},
    ),
    Rule(
        "kernel-blocks-fill-a-block", CONFIG,
        PYTORCH & above("kernel_block_size", 0)
        & fact("a block that kernel blocks do not fill", lambda setting: (
            int(setting.number("cache_block_seq_len") or 64) % max(_kernel_block(setting), 1) != 0
        )),
        ("cache_block_seq_len", "kernel_block_size"),
        "is no multiple of {kernel_block_size}", "make it one, or remove {kernel_block_size}",
        {"cache_block_seq_len": 64, "kernel_block_size": 128, **TORCH},
        {"cache_block_seq_len": 128, "kernel_block_size": 64, **TORCH},
    ),
    Rule(
        "state-interval-of-blocks", CONFIG,
        PYTORCH & above("prefix_cache_decode_state_interval", 0)
        & fact("an interval that is no multiple of a block", lambda setting: (
            int(setting.number("prefix_cache_decode_state_interval") or 0)
            % int(setting.number("cache_block_seq_len") or 64) != 0
        )),
        ("prefix_cache_decode_state_interval", "cache_block_seq_len"),
        "is no multiple of {cache_block_seq_len}", "write a multiple of it",
        {"prefix_cache_decode_state_interval": 100, "enable_prefix_caching": True, **TORCH},
        {"prefix_cache_decode_state_interval": 128, "enable_prefix_caching": True, **TORCH},
    ),
    Rule(
        "state-cache-needs-prefix-cache", "pytorch/config.py:CacheConfig",
        PYTORCH & off("enable_prefix_caching")
        & (above("prefix_cache_state_budget", 0) | above("prefix_cache_decode_state_interval", 0)),
        ("prefix_cache_state_budget", "prefix_cache_decode_state_interval", "enable_prefix_caching"),
        "does nothing without prefix caching", "set deploy.prefix_caching: true, or remove it",
        {"prefix_cache_state_budget": 2, **TORCH},
        {"prefix_cache_state_budget": 2, "enable_prefix_caching": True, **TORCH}, proof="silent",
    ),
    Rule(
        "quantized-cache-device", CONFIG,
        PYTORCH & unless("quant_policy", 0, "0", "none") & when("device", "maca", "camb"),
        ("quant_policy", "device"),
        "works on the devices cuda and ascend only", "remove it",
        {"quant_policy": "int8", "device": "maca", **TORCH}, {"quant_policy": "int8", **TORCH},
    ),
    Rule(
        "camb-blocks-of-sixteen", CONFIG,
        PYTORCH & when("device", "camb") & written("cache_block_seq_len") & unless("cache_block_seq_len", 16),
        ("cache_block_seq_len", "device"),
        "is not kept: the device camb takes 16", "write 16, or remove it",
        {"cache_block_seq_len": 32, "device": "camb", **TORCH},
        {"cache_block_seq_len": 16, "device": "camb", **TORCH}, proof="silent",
    ),
    Rule(
        "cache-role-needs-connector", CONFIG,
        PYTORCH & given("kv_transfer_config.kv_role") & absent("kv_transfer_config.kv_connector"),
        ("kv_transfer_config",),
        "has kv_role and no kv_connector", "add kv_connector to it",
        {"kv_transfer_config": {"kv_role": "kv_both"}, **TORCH}, TORCH,
    ),
    Rule(
        "cache-connector-has-a-role", CONFIG,
        PYTORCH & given("kv_transfer_config.kv_connector") & absent("kv_transfer_config.kv_role"),
        ("kv_transfer_config",),
        "has kv_connector and no kv_role", "add kv_role: kv_both, kv_producer or kv_consumer to it",
        {"kv_transfer_config": {"kv_connector": "x"}, **TORCH},
        {"kv_transfer_config": {"kv_connector": "x", "kv_role": "kv_both"}, **TORCH},
    ),
    Rule(
        "adapters-named", f"{CLI}:get_lora_adapters",
        PYTORCH & fact("several adapters, one without a name", lambda setting: (
            len(_adapters(setting)) > 1 and any("=" not in one for one in _adapters(setting))
        )),
        ("adapters",),
        "has several adapters, and each needs a name", "write name=path for each",
        {"adapters": ["x", "b=y"], **TORCH}, {"adapters": ["a=x", "b=y"], **TORCH},
    ),
    Rule(
        "adapters-named-once", f"{CLI}:get_lora_adapters",
        PYTORCH & fact("two adapters of one name", _named_twice), ("adapters",),
        "gives two adapters one name", "give each its own",
        {"adapters": ["a=x", "a=y"], **TORCH}, {"adapters": ["a=x", "b=y"], **TORCH},
    ),
    Rule(
        "capture-sizes-within-batch", "pytorch/config.py:normalize_cudagraph_capture_batch_sizes",
        PYTORCH & given("max_batch_size") & fact("no capture size within `max_batch_size`", lambda setting: (
            isinstance(sizes := setting.get("cudagraph_capture_batch_sizes"), list)
            and not any(size <= (setting.number("max_batch_size") or 0) for size in sizes)
        )),
        ("cudagraph_capture_batch_sizes", "max_batch_size"),
        "has no size within {max_batch_size}", "add one, or remove it",
        {"cudagraph_capture_batch_sizes": [64], "max_batch_size": 8, **TORCH},
        {"cudagraph_capture_batch_sizes": [4], "max_batch_size": 8, **TORCH},
    ),
    Rule(
        "block-diffusion-batch", "pytorch/engine/config_builder.py:update_engine_config",
        PYTORCH & given("max_batch_size") & given("dllm_block_length")
        & fact("`max_batch_size` × `dllm_block_length` > `max_prefill_token_num`", lambda setting: (
            (setting.number("max_batch_size") or 0) * (setting.number("dllm_block_length") or 0)
            > (setting.number("max_prefill_token_num") or 0)
        )),
        ("max_batch_size", "dllm_block_length", "max_prefill_token_num"),
        "is lowered to what {max_prefill_token_num} holds in blocks of {dllm_block_length}",
        "lower it, or raise {max_prefill_token_num}",
        {"max_batch_size": 1024, "dllm_block_length": 32, **TORCH},
        {"max_batch_size": 128, "dllm_block_length": 32, **TORCH}, proof="silent",
    ),
    Rule(
        "copies-share-the-ranks", "pytorch/config.py:__post_init__",
        PYTORCH & fact("ranks that `dp` does not divide", lambda setting: (
            _ranks(setting) > 1 and _ranks(setting) % int(setting.number("dp") or 1) != 0
        )),
        ("dp", "tp", "ep"),
        "does not divide the ranks of {tp} or {ep}", "take a divisor of them",
        {"dp": 3, "tp": 2, **TORCH}, {"dp": 2, "tp": 2, **TORCH},
    ),
    Rule(
        "copies-need-ranks", "serve/openai/launch_server.py:launch_server",
        PYTORCH & above("dp", 1) & fact("one rank", lambda setting: _ranks(setting) == 1), ("dp", "tp", "ep"),
        "needs more than one rank in {tp} or {ep} with the backend pytorch", "set {tp} to at least as many",
        {"dp": 2, **TORCH}, {"dp": 2, "tp": 2, **TORCH}, proof="later",
    ),
    Rule(
        "draft-block-needs-dflash", CONFIG,
        given("speculative_dflash_block_size") & unless("speculative_algorithm", "dflash", None),
        ("speculative_dflash_block_size", "speculative_algorithm"),
        "belongs to {speculative_algorithm} dflash", "remove it",
        {"speculative_dflash_block_size": 4, "speculative_algorithm": "eagle3", **TORCH},
        {"speculative_dflash_block_size": 4, "speculative_algorithm": "dflash", **TORCH},
    ),
    Rule(
        "draft-block-needs-speculation", f"{CLI}:get_speculative_config",
        given("speculative_dflash_block_size") & absent("speculative_algorithm"),
        ("speculative_dflash_block_size", "speculative_algorithm"),
        "needs {speculative_algorithm} dflash", "set {speculative_algorithm}: dflash, or remove it",
        {"speculative_dflash_block_size": 4, **TORCH}, TORCH,
    ),
    Rule(
        "draft-block-of-two", CONFIG,
        when("speculative_algorithm", "dflash") & below("speculative_dflash_block_size", 2),
        ("speculative_dflash_block_size",),
        "is under 2: the first token of a block is the target's own", "raise it",
        {"speculative_dflash_block_size": 1, "speculative_algorithm": "dflash", **TORCH},
        {"speculative_dflash_block_size": 2, "speculative_algorithm": "dflash", **TORCH},
    ),
    Rule(
        "draft-settings-without-speculation", f"{CLI}:get_speculative_config",
        written(*DRAFT) & absent("speculative_algorithm"), DRAFT,
        "does nothing: no algorithm of speculation is set",
        "set deploy.native.speculative_algorithm, or remove it",
        {"speculative_draft_model": "base"}, {}, proof="silent", each=written,
    ),
)  # fmt: skip
