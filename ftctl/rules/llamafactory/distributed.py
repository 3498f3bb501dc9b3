"""Rules of DeepSpeed, FSDP and the launch of several processes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ftctl.rules.condition import ALONE, SHARDED, ZERO3, fact, given, on, when
from ftctl.rules.rule import TWO, Proof, Rule
from ftctl.rules.setting import Setting

PARSER = "hparams/parser.py:get_train_args"
FSDP_SOURCE = "training_args.py:_process_fsdp_args"
Z2: Mapping[str, Any] = {"deepspeed": {"zero_optimization": {"stage": 2}}}
Z3: Mapping[str, Any] = {"deepspeed": {"zero_optimization": {"stage": 3}}}
HELD_OUT = {"val_size": 0.1, "eval_strategy": "epoch"}


def _not_with_zero3(
    name: str, shown: str, more: Mapping[str, Any], allowed: Mapping[str, Any], proof: Proof = "parser"
) -> Rule:
    return Rule(
        f"{name.removeprefix('use_').replace('_', '-')}-not-zero3", PARSER, on(name) & ZERO3,
        (name, "deepspeed"),
        f"does not go with DeepSpeed ZeRO-3{shown}", "remove it, or take ZeRO-2",
        {**Z3, **more, name: True}, {**allowed, **more, name: True}, place=TWO, proof=proof,
    )  # fmt: skip


def _fsdp(setting: Setting) -> tuple[str, ...]:
    value = setting.get("fsdp")
    if value is True:
        return ("full_shard",)
    return tuple(value.split()) if isinstance(value, str) else tuple(map(str, value or ()))


def _wrapping(setting: Setting) -> bool:
    config = setting.get("fsdp_config")
    if not isinstance(config, Mapping):
        return False
    plain = {str(key).removeprefix("fsdp_"): value for key, value in config.items()}
    return bool(_fsdp(setting) and plain.get("min_num_params") and plain.get("transformer_layer_cls_to_wrap"))


RULES: tuple[Rule, ...] = (
    Rule(
        "deepspeed-needs-processes", PARSER, on("deepspeed") & ALONE, ("deepspeed",),
        "needs a start with torchrun, and one process is started without it",
        "use several GPUs, or remove it",
        Z2, {},
    ),
    Rule(
        "deepspeed-zero-needed", "accelerate/utils/dataclasses.py:__post_init__",
        on("deepspeed") & fact(
            "a DeepSpeed configuration without `zero_optimization`",
            lambda setting: setting.deepspeed is not None and "zero_optimization" not in setting.deepspeed,
        ),
        ("deepspeed",),
        "has no zero_optimization", "add it, with its stage",
        {"deepspeed": {"train_batch_size": "auto"}}, Z2, place=TWO,
    ),
    _not_with_zero3(
        "predict_with_generate", ": generation needs whole weights",
        {"val_size": 0.1, "do_eval": True}, Z2,
    ),
    _not_with_zero3("pissa_init", ": it needs whole weights", {}, Z2),
    _not_with_zero3("pure_bf16", ", which keeps its own fp32 weights", {}, Z2, proof="gpu"),
    _not_with_zero3("use_unsloth", "", {}, Z2),
    _not_with_zero3("use_kt", "", {}, Z2),
    Rule(
        "memory-optimizer-not-deepspeed", PARSER, on("deepspeed") & on("use_galore", "use_apollo"),
        ("use_galore", "use_apollo", "deepspeed"),
        "does not go with DeepSpeed, which brings its own optimizer", "remove one of the two",
        {**Z2, "finetuning_type": "full", "use_galore": True, "optim": "adamw_torch"},
        {**Z2, "finetuning_type": "full"}, place=TWO,
    ),
    Rule(
        "fsdp-offload-alone", FSDP_SOURCE,
        fact("`fsdp` offload alone", lambda setting: _fsdp(setting) == ("offload",)), ("fsdp",),
        "is offload alone", "write full_shard offload",
        {"fsdp": "offload"}, {"fsdp": "full_shard offload"},
    ),
    Rule(
        "fsdp-one-strategy", FSDP_SOURCE,
        fact(
            "`fsdp` with full_shard and shard_grad_op",
            lambda setting: {"full_shard", "shard_grad_op"} <= set(_fsdp(setting)),
        ),
        ("fsdp",),
        "names two ways to shard", "keep full_shard or shard_grad_op",
        {"fsdp": "full_shard shard_grad_op"}, {"fsdp": "shard_grad_op"},
    ),
    Rule(
        "fsdp-one-wrapping", FSDP_SOURCE, fact("`fsdp_config` with two ways to wrap", _wrapping),
        ("fsdp_config", "fsdp"),
        "has both min_num_params and transformer_layer_cls_to_wrap", "keep one",
        {"fsdp": "full_shard", "fsdp_config": {"min_num_params": 1, "transformer_layer_cls_to_wrap": ["A"]}},
        {"fsdp": "full_shard", "fsdp_config": {"transformer_layer_cls_to_wrap": ["A"]}},
    ),
    Rule(
        "fsdp-or-deepspeed", "trainer.py:__init__", on("fsdp") & on("deepspeed"), ("fsdp", "deepspeed"),
        "and {deepspeed} are both set", "keep one",
        {**Z2, "fsdp": "full_shard"}, {"fsdp": "full_shard"}, place=TWO,
        proof="later", unproved="a GPU and the package deepspeed",
    ),
    Rule(
        "best-model-needs-optimizer", "trainer.py:__init__",
        on("deepspeed", "fsdp") & on("save_only_model") & on("load_best_model_at_end"),
        ("save_only_model", "load_best_model_at_end"),
        "leaves out what {load_best_model_at_end} loads again under DeepSpeed and FSDP",
        "remove one of the two",
        {**HELD_OUT, "save_strategy": "epoch", "fsdp": "full_shard", "save_only_model": True,
         "load_best_model_at_end": True},
        {**HELD_OUT, "save_strategy": "epoch", "fsdp": "full_shard", "load_best_model_at_end": True},
        place=TWO, proof="later", unproved="a GPU",
    ),
    Rule(
        "find-batch-size-not-zero3", "trainer.py:_inner_training_loop", ZERO3 & on("auto_find_batch_size"),
        ("auto_find_batch_size", "deepspeed"),
        "does not go with DeepSpeed ZeRO-3", "remove it, and set a batch size that fits",
        {**Z3, "auto_find_batch_size": True}, Z3, place=TWO, proof="later", unproved="the package deepspeed",
    ),
    Rule(
        "quantized-sharding-needs-4-bits", "model/model_utils/quantization.py:configure_quantization",
        given("quantization_bit") & when("quantization_method", "bnb") & SHARDED
        & fact("`quantization_bit` other than 4", lambda setting: setting.get("quantization_bit") != 4),
        ("quantization_bit", "deepspeed", "fsdp"),
        "is spread over devices, which works with 4 bits alone", "write 4",
        {**Z3, "quantization_bit": 8}, {**Z3, "quantization_bit": 4},
        place=TWO, proof="later",
    ),
    Rule(
        "quantization-method-not-sharded", "model/model_utils/quantization.py:configure_quantization",
        given("quantization_bit") & when("quantization_method", "hqq", "eetq") & SHARDED,
        ("quantization_method", "deepspeed", "fsdp"),
        "cannot be spread over devices with DeepSpeed ZeRO-3 or FSDP", "write bnb",
        {**Z3, "quantization_bit": 8, "quantization_method": "hqq"},
        {**Z3, "quantization_bit": 4}, place=TWO, proof="later",
    ),
    Rule(
        "zero3-one-adapter", "model/adapter.py:_setup_lora_tuning",
        ZERO3 & fact("several adapters", lambda setting: len(setting.words("adapter_name_or_path")) > 1),
        ("adapter_name_or_path", "deepspeed"),
        "names several adapters, and DeepSpeed ZeRO-3 takes one", "merge them first",
        {**Z3, "adapter_name_or_path": "one,two"}, {**Z3, "adapter_name_or_path": "one"},
        place=TWO, proof="later",
    ),
)  # fmt: skip
