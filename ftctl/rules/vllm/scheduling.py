"""How many requests and tokens run together, and the cache that holds them."""

from __future__ import annotations

from ftctl.rules.condition import ON_CPU, above, absent, fact, given, more, off, on, unless, when, written
from ftctl.rules.rule import Rule

VERIFY = "config/scheduler.py:verify_max_model_len"
CONFIG = "config/vllm.py:__post_init__"
NO_PREFIX_CACHE = when("enable_prefix_caching", False)
CPU_BATCH = 2048  # tokens by rank that vLLM takes on the CPU where nothing is set

RULES: tuple[Rule, ...] = (
    Rule(
        "batch-holds-a-sequence", VERIFY,
        when("enable_chunked_prefill", False) & more("max_model_len", "max_num_batched_tokens"),
        ("max_num_batched_tokens", "max_model_len", "enable_chunked_prefill"),
        "is under {max_model_len}, and {enable_chunked_prefill} false wants a whole prompt in one batch",
        "raise it to {max_model_len}, or remove {enable_chunked_prefill}",
        {"max_num_batched_tokens": 32, "max_num_seqs": 4, "enable_chunked_prefill": False},
        {"max_num_batched_tokens": 64, "max_num_seqs": 4, "enable_chunked_prefill": False},
    ),
    Rule(
        "batch-holds-every-request", VERIFY, more("max_num_seqs", "max_num_batched_tokens"),
        ("max_num_batched_tokens", "max_num_seqs"),
        "is under {max_num_seqs}: each request takes a token of the batch",
        "raise it, or lower {max_num_seqs}",
        {"max_num_batched_tokens": 16, "max_num_seqs": 32},
        {"max_num_batched_tokens": 32, "max_num_seqs": 32},
    ),
    Rule(
        "batch-on-the-cpu", VERIFY,
        fact(f"`max_num_seqs` > {CPU_BATCH} by rank", lambda setting: (
            (setting.number("max_num_seqs") or 0) > CPU_BATCH * (setting.number("tensor_parallel_size") or 1)
            * (setting.number("pipeline_parallel_size") or 1)
        ))
        & absent("max_num_batched_tokens") & unless("performance_mode", "throughput")
        & unless("enable_chunked_prefill", False) & ON_CPU,
        ("max_num_seqs", "max_num_batched_tokens"),
        f"is over {CPU_BATCH}, the tokens of a batch on the CPU unless {{max_num_batched_tokens}} says more",
        "lower it, or raise {max_num_batched_tokens}",
        {"max_num_seqs": 4096}, {"max_num_seqs": 4096, "max_num_batched_tokens": 4096},
    ),
    Rule(
        "batch-beyond-every-request", VERIFY,
        fact("`max_num_batched_tokens` > `max_num_seqs` × `max_model_len`", lambda setting: (
            (setting.number("max_num_batched_tokens") or 0)
            > (setting.number("max_num_seqs") or float("inf")) * (setting.number("max_model_len") or 1)
        )) & given("max_model_len"),
        ("max_num_batched_tokens", "max_num_seqs", "max_model_len"),
        "is more than {max_num_seqs} requests of {max_model_len} tokens can fill", "lower it",
        {"max_num_batched_tokens": 1024, "max_num_seqs": 4},
        {"max_num_batched_tokens": 256, "max_num_seqs": 4},
        severity="warning", proof="silent",
    ),
    Rule(
        "active-within-concurrency", VERIFY, more("max_num_active_seqs", "max_num_seqs"),
        ("max_num_active_seqs", "max_num_seqs"),
        "is over {max_num_seqs}", "lower it, or raise {max_num_seqs}",
        {"max_num_active_seqs": 8, "max_num_seqs": 4}, {"max_num_active_seqs": 4, "max_num_seqs": 4},
    ),
    Rule(
        "long-prefill-within-length", VERIFY, more("long_prefill_token_threshold", "max_model_len"),
        ("long_prefill_token_threshold", "max_model_len"),
        "is over {max_model_len}", "lower it",
        {"long_prefill_token_threshold": 65}, {"long_prefill_token_threshold": 64},
    ),
    Rule(
        "share-beside-cache-size", "v1/worker/gpu_worker.py:determine_available_memory",
        written("gpu_memory_utilization") & given("kv_cache_memory_bytes"),
        ("gpu_memory_utilization", "kv_cache_memory_bytes"),
        "sizes nothing: {kv_cache_memory_bytes} is the size of the cache", "keep one",
        {"gpu_memory_utilization": 0.5, "kv_cache_memory_bytes": 67108864},
        {"kv_cache_memory_bytes": 67108864}, proof="silent",
    ),
    Rule(
        "offloading-needs-a-size", "config/vllm.py:_post_init_kv_transfer_config",
        written("kv_offloading_backend") & absent("kv_offloading_size"),
        ("kv_offloading_backend", "kv_offloading_size"),
        "does nothing without {kv_offloading_size}", "set {kv_offloading_size} in GiB, or remove it",
        {"kv_offloading_backend": "native"}, {}, proof="silent",
    ),
    Rule(
        "prefix-settings-without-cache", "v1/core/kv_cache_manager.py:__init__",
        NO_PREFIX_CACHE & written("prefix_caching_hash_algo", "prefix_cache_retention_interval"),
        ("prefix_caching_hash_algo", "prefix_cache_retention_interval"),
        "does nothing with prefix caching off", "remove it, or turn prefix caching on",
        {"enable_prefix_caching": False, "prefix_caching_hash_algo": "sha256"},
        {"enable_prefix_caching": True, "prefix_caching_hash_algo": "sha256"},
        proof="silent", each=written,
    ),
    Rule(
        "cache-events-need-prefix-cache", CONFIG,
        on("kv_events_config.enable_kv_cache_events") & NO_PREFIX_CACHE,
        ("kv_events_config", "enable_prefix_caching"),
        "asks for events of the prefix cache, which {enable_prefix_caching} turns off",
        "remove {enable_prefix_caching}",
        {"kv_events_config": {"enable_kv_cache_events": True}, "enable_prefix_caching": False},
        {"kv_events_config": {"enable_kv_cache_events": True}}, proof="silent",
    ),
    Rule(
        "mamba-block-needs-prefix-cache", "config/vllm.py:validate_mamba_block_size",
        given("mamba_block_size") & NO_PREFIX_CACHE
        & fact("another size than `max_model_len`", lambda setting: (
            setting.get("mamba_block_size") != setting.get("max_model_len")
        )),
        ("mamba_block_size", "enable_prefix_caching"),
        "needs prefix caching", "remove {enable_prefix_caching}, or remove it",
        {"mamba_block_size": 32, "enable_prefix_caching": False},
        {"mamba_block_size": 32, "enable_prefix_caching": True},
    ),
    Rule(
        "mamba-algorithm-needs-flashinfer", "config/mamba.py:validate_ssu_algorithm",
        given("mamba_ssu_algorithm") & unless("mamba_backend", "flashinfer"),
        ("mamba_ssu_algorithm", "mamba_backend"),
        "needs {mamba_backend} flashinfer", "set {mamba_backend}: flashinfer, or remove it",
        {"mamba_ssu_algorithm": "simple"}, {"mamba_ssu_algorithm": "simple", "mamba_backend": "flashinfer"},
    ),
    Rule(
        "mamba-rounding-needs-float16", CONFIG,
        on("enable_mamba_cache_stochastic_rounding") & unless("mamba_ssm_cache_dtype", "float16"),
        ("enable_mamba_cache_stochastic_rounding", "mamba_ssm_cache_dtype"),
        "needs {mamba_ssm_cache_dtype} float16", "set {mamba_ssm_cache_dtype}: float16, or remove it",
        {"enable_mamba_cache_stochastic_rounding": True}, {},
    ),
    Rule(
        "offload-within-group", "config/offload.py:validate_offload_config",
        more("offload_num_in_group", "offload_group_size")
        & (when("offload_backend", "prefetch") | above("offload_group_size", 0)),
        ("offload_num_in_group", "offload_group_size"),
        "is over {offload_group_size}", "lower it, or raise {offload_group_size}",
        {"offload_group_size": 2, "offload_num_in_group": 3},
        {"offload_group_size": 3, "offload_num_in_group": 3},
    ),
    Rule(
        "offload-prefetch-needs-a-group", "config/offload.py:validate_offload_config",
        when("offload_backend", "prefetch") & off("offload_group_size"),
        ("offload_backend", "offload_group_size"),
        "prefetch needs {offload_group_size}", "set {offload_group_size}",
        {"offload_backend": "prefetch"}, {"offload_backend": "prefetch", "offload_group_size": 1},
    ),
)  # fmt: skip
