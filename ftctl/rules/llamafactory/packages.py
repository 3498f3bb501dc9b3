"""Rules of what an argument needs installed in the engine's environment."""

from __future__ import annotations

from ftctl.rules.condition import Condition, fact, given, lacks, on, when
from ftctl.rules.rule import TWO, Rule
from ftctl.rules.setting import Place

CHECKED = "hparams/parser.py:_check_extra_dependencies"
QUANTIZATION = "model/model_utils/quantization.py:configure_quantization"
FULL = {"finetuning_type": "full", "optim": "adamw_torch"}
# Every package that a rule asks for, so that the other rules' examples are not about packages.
ALL = frozenset({
    "accelerate-kt", "adam-mini", "apollo-torch", "badam", "bitsandbytes", "deepspeed", "eetq", "flash-attn",
    "galore-torch", "hqq", "jieba", "kt-kernel", "liger-kernel", "mixture-of-depth", "nltk",
    "rouge-chinese", "swanlab", "torchao", "transformers-kt", "unsloth", "wandb",
})  # fmt: skip


def _needs(
    asked: Condition, subject: str, package: str, refused: dict[str, object], *, later: bool = False
) -> Rule:
    """The argument is used and the package is not there."""
    return Rule(
        f"{subject.replace('_', '-')}-needs-{package}",
        QUANTIZATION if later else CHECKED,
        asked & lacks(package),
        (subject,),
        f"needs the package {package}, which the engine's environment does not have",
        "remove it, or use an environment that has it (train.engine_python)",
        refused,
        proof="later" if later else "parser",
        place=Place(packages=ALL - {package}),
    )


RULES: tuple[Rule, ...] = (
    *(
        _needs(on("use_kt"), "use_kt", package, {"use_kt": True})
        for package in ("kt-kernel", "transformers-kt", "accelerate-kt")
    ),
    _needs(on("use_unsloth"), "use_unsloth", "unsloth", {"use_unsloth": True}),
    _needs(on("enable_liger_kernel"), "enable_liger_kernel", "liger-kernel", {"enable_liger_kernel": True}),
    _needs(
        given("mixture_of_depths"), "mixture_of_depths", "mixture-of-depth", {"mixture_of_depths": "load"}
    ),
    _needs(on("use_swanlab"), "use_swanlab", "swanlab", {"use_swanlab": True}),
    _needs(on("use_galore"), "use_galore", "galore-torch", {**FULL, "use_galore": True}),
    _needs(on("use_apollo"), "use_apollo", "apollo-torch", {**FULL, "use_apollo": True}),
    _needs(on("use_badam"), "use_badam", "badam", {**FULL, "use_badam": True}),
    _needs(on("use_adam_mini"), "use_adam_mini", "adam-mini", {**FULL, "use_adam_mini": True}),
    *(
        _needs(
            on("predict_with_generate"), "predict_with_generate", package,
            {"predict_with_generate": True, "val_size": 0.1, "do_eval": True},
        )
        for package in ("jieba", "nltk", "rouge-chinese")
    ),
    Rule(
        "deepspeed-needs-deepspeed", "integrations/deepspeed.py:__init__",
        on("deepspeed") & lacks("deepspeed"),
        ("deepspeed",),
        "needs the package deepspeed, which the engine's environment does not have",
        "remove it, or use an environment that has it (train.engine_python)",
        {"deepspeed": {"zero_optimization": {"stage": 2}}},
        place=Place(world_size=TWO.world_size, packages=ALL - {"deepspeed"}),
    ),
    *(
        _needs(
            given("quantization_bit") & when("quantization_method", method), "quantization_bit", package,
            {"quantization_bit": 8, "quantization_method": method}, later=True,
        )
        for method, package in (("bnb", "bitsandbytes"), ("hqq", "hqq"), ("eetq", "eetq"))
    ),
    Rule(
        "flash-attention-missing", "model/model_utils/attention.py:configure_attn_implementation",
        when("flash_attn", "fa2") & lacks("flash-attn"), ("flash_attn",),
        "is fa2, and the engine's environment has no flash-attn: the engine takes another kind and goes on",
        "write sdpa or auto, or use an environment that has it",
        {"flash_attn": "fa2"}, {"flash_attn": "sdpa"}, proof="silent",
        place=Place(gpus=1, bf16=True, packages=ALL - {"flash-attn"}),
    ),
    Rule(
        "fp8-needs-torchao", "train/fp8_utils.py:create_fp8_kwargs",
        on("fp8") & lacks("torchao") & fact("the backend torchao or auto", lambda s: s.get("fp8_backend") in
                                            ("auto", "torchao")),
        ("fp8", "fp8_backend"),
        "needs the package torchao, which the engine's environment does not have: it trains without fp8",
        "remove it, or use an environment that has it",
        {"fp8": True}, {}, proof="silent", place=Place(gpus=1, bf16=True, packages=ALL - {"torchao"}),
    ),
)  # fmt: skip
