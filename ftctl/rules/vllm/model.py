"""The model: its numbers, what it is served as, and how it is compiled."""

from __future__ import annotations

from ftctl.rules.condition import ON_CPU, Condition, absent, fact, given, on, unless, when, written
from ftctl.rules.rule import Rule
from ftctl.rules.setting import Place, Setting
from ftctl.rules.vllm.choices import ATTENTION, DEPRECATED, HALF, NO_FLOAT16, QUANTIZATIONS

CREATE = "engine/arg_utils.py:create_engine_config"
QUANTIZATION = "config/model.py:_verify_quantization"
GPU_ATTENTION = frozenset(ATTENTION) - {"CPU_ATTN", "CPU_MLA", "AMX_MLA"}
COMPILED = ("compilation_config", "cudagraph_capture_sizes", "max_cudagraph_capture_size")


def _inner(argument: str, key: str) -> Condition:
    return fact(f"{key} in `{argument}`", lambda setting: setting.get(f"{argument}.{key}") is not None)


def _custom_ops(marks: str) -> Condition:
    """`all` and `none` together, or one operation both on and off, in compilation_config.custom_ops."""

    def holds(setting: Setting) -> bool:
        found = setting.get("compilation_config.custom_ops")
        ops = set(found) if isinstance(found, list) else set()
        return {"all", "none"} <= ops or any(f"-{op[1:]}" in ops for op in ops if op.startswith("+"))

    return fact(marks, holds)


def _twice(name: str, argument: str, config: str, value: object, inner: object = None) -> Rule:
    """An argument that stands in a configuration as well."""
    key = {"attention_backend": "backend"}.get(argument, argument)
    return Rule(
        name, CREATE, given(argument) & _inner(config, key), (argument, config),
        f"and {key} in {{{config}}} are both set", "keep one",
        {argument: value, config: {key: value if inner is None else inner}}, {argument: value},
    )  # fmt: skip


def _needs_gpu(name: str, argument: str, function: str) -> Rule:
    """An argument that only the model runner for GPUs knows."""
    return Rule(
        name, f"config/vllm.py:{function}", on(argument) & ON_CPU, (argument,),
        "needs a GPU", "remove it", {argument: True}, {},
    )  # fmt: skip


RULES: tuple[Rule, ...] = (
    Rule(
        "quantization-known", QUANTIZATION,
        fact("`quantization` none of the engine's", lambda setting: (
            setting.get("quantization") not in (None, *QUANTIZATIONS)
        )),
        ("quantization",),
        "is no method of this version", "take one of " + ", ".join(QUANTIZATIONS),
        {"quantization": "int3"}, {"quantization": "fp8", "dtype": "bfloat16"},
    ),
    Rule(
        "quantization-deprecated", QUANTIZATION,
        when("quantization", *DEPRECATED) & ~on("allow_deprecated_quantization"),
        ("quantization", "allow_deprecated_quantization"),
        "is a method that vLLM gives up", "set {allow_deprecated_quantization}: true, or take another",
        {"quantization": "fp_quant"}, {"quantization": "fp8", "dtype": "bfloat16"},
    ),
    Rule(
        "quantization-needs-half", "config/vllm.py:_get_quantization_config",
        when("quantization", *HALF) & when("dtype", "float32", "float"), ("quantization", "dtype"),
        "works in half precision, and {dtype} is float32", "set {dtype}: bfloat16",
        {"quantization": "fp8"}, {"quantization": "fp8", "dtype": "bfloat16"},
    ),
    Rule(
        "half-precision-unstable", "config/model.py:_check_valid_dtype",
        when("dtype", "float16", "half") & fact("a model of Gemma 2, Gemma 3 or GLM-4", lambda setting: (
            setting.place.model_type in NO_FLOAT16
        )),
        ("dtype",),
        "float16 overflows in this family of models", "set {dtype}: bfloat16",
        {"dtype": "float16", "model": "gemma2"}, {"dtype": "bfloat16", "model": "gemma2"},
        place=Place(model_type="gemma2"),
    ),
    Rule(
        "attention-backend-known", "v1/attention/backends/registry.py:__getitem__",
        fact("`attention_backend` none of the engine's", lambda setting: (
            str(setting.get("attention_backend") or "auto").upper() not in ("AUTO", *ATTENTION)
        )),
        ("attention_backend",),
        "is no backend of this version", "remove it, or take one of " + ", ".join(ATTENTION),
        {"attention_backend": "FLASH"}, {"attention_backend": "CPU_ATTN"},
    ),
    Rule(
        "attention-backend-on-the-cpu", "platforms/cpu.py:get_attn_backend_cls",
        given("attention_backend") & ON_CPU & fact("a backend for GPUs", lambda setting: (
            str(setting.get("attention_backend")).upper() in GPU_ATTENTION
        )),
        ("attention_backend",),
        "is not used on the CPU: the engine takes its own", "remove it",
        {"attention_backend": "FLASH_ATTN"}, {"attention_backend": "CPU_ATTN"}, proof="silent",
    ),
    Rule(
        "sleep-on-the-cpu", "config/model.py:__post_init__", on("enable_sleep_mode") & ON_CPU,
        ("enable_sleep_mode",),
        "needs a GPU", "remove it",
        {"enable_sleep_mode": True}, {},
    ),
    Rule(
        "allocator-on-the-cpu", "config/model.py:__post_init__", on("enable_cumem_allocator") & ON_CPU,
        ("enable_cumem_allocator",),
        "needs a GPU", "remove it",
        {"enable_cumem_allocator": True}, {},
    ),
    Rule(
        "flash-kernels-on-the-cpu", CREATE, when("kda_prefill_backend", "flashkda") & ON_CPU,
        ("kda_prefill_backend",),
        "flashkda needs a GPU", "remove it",
        {"kda_prefill_backend": "flashkda"}, {},
    ),
    _needs_gpu("sampling-replay-on-the-cpu", "return_sampling_mask", "_verify_sampling_replay_config"),
    _needs_gpu("trace-replay-on-the-cpu", "enable_trace_replay", "_verify_trace_replay_config"),
    _needs_gpu("routed-experts-on-the-cpu", "enable_return_routed_experts",
               "_verify_aux_output_compatibility"),
    _needs_gpu("sharded-sampling-on-the-cpu", "enable_batch_sharded_sampling", "_validate_v1_model_runner"),
    _twice("attention-backend-once", "attention_backend", "attention_config", "CPU_ATTN"),
    _twice("capture-sizes-once", "cudagraph_capture_sizes", "compilation_config", [1, 2]),
    _twice("largest-capture-once", "max_cudagraph_capture_size", "compilation_config", 2),
    _twice("autotune-once", "enable_flashinfer_autotune", "kernel_config", True),
    Rule(
        "custom-operations-clear", "config/compilation.py:__post_init__",
        _custom_ops("all and none, or an operation on and off, in custom_ops"), ("compilation_config",),
        "has custom_ops that contradict each other", "keep one of all and none, and one sign by operation",
        {"compilation_config": {"custom_ops": ["all", "none"]}},
        {"compilation_config": {"custom_ops": ["all"]}},
    ),
    Rule(
        "eager-compiles-nothing", "config/vllm.py:__post_init__", on("enforce_eager") & written(*COMPILED),
        (*COMPILED, "enforce_eager"),
        "does nothing with {enforce_eager}, which ftctl sets on the CPU",
        "remove it, or set {enforce_eager}: null",
        {"enforce_eager": True, "compilation_config": {"mode": 3}}, {"compilation_config": {"mode": 3}},
        proof="silent",
    ),
    Rule(
        "pooling-said-once", "config/pooler.py:__post_init__",
        _inner("pooler_config", "pooling_type")
        & (_inner("pooler_config", "seq_pooling_type") | _inner("pooler_config", "tok_pooling_type")),
        ("pooler_config",),
        "names pooling_type beside seq_pooling_type or tok_pooling_type", "keep one of them",
        {"pooler_config": {"pooling_type": "LAST", "seq_pooling_type": "LAST"}, "runner": "pooling"},
        {"pooler_config": {"pooling_type": "LAST"}, "runner": "pooling"},
    ),
    Rule(
        "pooler-needs-pooling", "config/model.py:__post_init__",
        written("pooler_config") & when("runner", "generate"), ("pooler_config", "runner"),
        "does nothing with {runner} generate", "set {runner}: pooling, or remove it",
        {"pooler_config": {"pooling_type": "LAST"}, "runner": "generate"},
        {"pooler_config": {"pooling_type": "LAST"}, "runner": "pooling"}, proof="silent",
    ),
    Rule(
        "removed-pooling-key", "config/pooler.py:reject_removed_parameters",
        _inner("pooler_config", "normalize"), ("pooler_config",),
        "has normalize, which is gone", "write use_activation in its place",
        {"pooler_config": {"normalize": True}, "runner": "pooling"},
        {"pooler_config": {"use_activation": True}, "runner": "pooling"},
    ),
    Rule(
        "prefetch-settings-unused", "model_executor/model_loader/weight_utils.py:download_weights_from_hf",
        given("safetensors_prefetch_num_threads") & unless("safetensors_load_strategy", "prefetch")
        & written("safetensors_prefetch_num_threads"),
        ("safetensors_prefetch_num_threads", "safetensors_load_strategy"),
        "does nothing without {safetensors_load_strategy} prefetch",
        "set {safetensors_load_strategy}: prefetch",
        {"safetensors_prefetch_num_threads": 4},
        {"safetensors_prefetch_num_threads": 4, "safetensors_load_strategy": "prefetch"},
        severity="warning", proof="silent",
    ),
    Rule(
        "cache-connector-needs-a-role", "config/kv_transfer.py:__post_init__",
        _inner("kv_transfer_config", "kv_connector") & absent("kv_transfer_config.kv_role"),
        ("kv_transfer_config",),
        "names kv_connector and no kv_role", "add kv_role: kv_both, kv_producer or kv_consumer to it",
        {"kv_transfer_config": {"kv_connector": "OffloadingConnector"}},
        {"kv_transfer_config": {"kv_connector": "OffloadingConnector", "kv_role": "kv_both",
                                "kv_connector_extra_config": {"cpu_bytes_to_use": 1048576}}},
    ),
)  # fmt: skip
