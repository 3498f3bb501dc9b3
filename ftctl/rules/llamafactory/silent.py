"""What the engine accepts without a word and does otherwise: errors here, for nothing else would tell."""

from __future__ import annotations

from ftctl.rules.condition import ON_CPU, Condition, fact, given, on, unless, when
from ftctl.rules.llamafactory.types import BOOLEANS, NUMBERS
from ftctl.rules.rule import DROP, Rule
from ftctl.rules.setting import Place

PARSER = "hparams/parser.py:get_train_args"
PARSE_DICT = "hf_argparser.py:parse_dict"
ON_GPU = Place(gpus=1, bf16=True)


def _text(name: str) -> Condition:
    """The engine's dataclasses check no type: a text counts as yes, and breaks the first sum it meets."""
    return fact(f"`{name}` a text", lambda setting: isinstance(setting.get(name), str))


NOT_EVALUATED = when("eval_strategy", "no") & ~on("do_eval", "do_predict", "predict_with_generate")

RULES: tuple[Rule, ...] = (
    Rule(
        "boolean-is-text", PARSE_DICT,
        fact("a text where true or false belongs", lambda setting: any(
            isinstance(setting.get(name), str) for name in BOOLEANS
        )),
        BOOLEANS,
        'is a text, and the engine takes every text for true, even "false"',
        "write true or false, without quotes",
        {"do_train": "false"}, {"do_train": True}, proof="silent", each=_text,
    ),
    Rule(
        "number-is-text", PARSE_DICT,
        fact("a text where a number belongs", lambda setting: any(
            isinstance(setting.get(name), str) for name in NUMBERS
        )),
        NUMBERS,
        "is a text, which the engine finds out after it has loaded the model",
        "write the number without quotes",
        {"learning_rate": "1e-4"}, {"learning_rate": 1e-4}, proof="silent", each=_text,
    ),
    Rule(
        "preference-loss-real", "train/dpo/trainer.py:compute_preference_loss",
        when("stage", "dpo") & unless("pref_loss", "sigmoid", "orpo", "simpo"), ("pref_loss",),
        "never reaches the trainer: this version trains sigmoid, whatever stands here",
        "write sigmoid, orpo or simpo",
        {"stage": "dpo", "pref_loss": "hinge"}, {"stage": "dpo", "pref_loss": "simpo"}, proof="silent",
    ),
    Rule(
        "held-out-not-evaluated", PARSER,
        fact("held-out rows", lambda setting: (setting.number("val_size") or 0) > 1e-6) & NOT_EVALUATED,
        ("val_size", "eval_strategy"),
        "holds rows out of training, and nothing ever evaluates them", "set {eval_strategy}, or remove it",
        {"val_size": 0.1}, {"val_size": 0.1, "eval_strategy": "epoch"}, proof="silent",
    ),
    Rule(
        "evaluation-data-unused", PARSER, given("eval_dataset") & NOT_EVALUATED,
        ("eval_dataset", "eval_strategy"),
        "is read, and nothing ever evaluates it", "set {eval_strategy}, or remove it",
        {"eval_dataset": "two"}, {"eval_dataset": "two", "eval_strategy": "epoch"}, proof="silent",
    ),
    Rule(
        "nothing-to-do", "train/tuner.py:run_exp",
        fact("none of `do_train`, `do_eval` and `do_predict`", lambda setting: setting.command == "train")
        & ~on("do_train", "do_eval", "do_predict", "predict_with_generate") & when("eval_strategy", "no"),
        ("do_train",),
        "is off, and so is everything else: the engine loads the model and ends", "set it to true",
        {"do_train": False}, {"do_train": True}, proof="silent",
    ),
    Rule(
        "output-dir-needed", "training_args.py:__post_init__", on("do_train") & ~on("output_dir"),
        ("output_dir",),
        "is not set: the result goes to trainer_output in the working folder", "set it",
        {"output_dir": DROP}, {}, severity="warning", proof="silent",
    ),
    Rule(
        "fp16-on-the-cpu", "training_args.py:__post_init__", on("fp16") & ON_CPU, ("fp16",),
        "does nothing on the CPU: the engine trains in fp32", "remove it, or use bf16",
        {"fp16": True, "bf16": False}, {"bf16": True}, proof="silent",
    ),
    Rule(
        "fp8-on-the-cpu", "train/fp8_utils.py:create_fp8_kwargs", on("fp8") & ON_CPU, ("fp8",),
        "does nothing on the CPU", "remove it",
        {"fp8": True}, {}, proof="silent",
    ),
    Rule(
        "fp8-gather-needs-fp8", PARSER, on("fp8_enable_fsdp_float8_all_gather") & ~on("fp8"),
        ("fp8_enable_fsdp_float8_all_gather", "fp8"),
        "has no effect without {fp8}", "set {fp8}: true, or remove it",
        {"fp8_enable_fsdp_float8_all_gather": True},
        {"fp8_enable_fsdp_float8_all_gather": True, "fp8": True}, proof="silent", place=ON_GPU,
    ),
    Rule(
        "kernels-need-a-gpu", "model/model_utils/liger_kernel.py:apply_liger_kernel",
        on("enable_liger_kernel", "use_unsloth", "use_unsloth_gc") & ON_CPU,
        ("enable_liger_kernel", "use_unsloth", "use_unsloth_gc"),
        "needs a GPU", "remove it",
        {"enable_liger_kernel": True}, {}, proof="gpu",
    ),
    Rule(
        "lora-alpha-zero", "hparams/finetuning_args.py:__post_init__",
        when("lora_alpha", 0) & when("finetuning_type", "lora"), ("lora_alpha",),
        "is 0, which the engine takes for twice the rank", "write the value that is meant",
        {"lora_alpha": 0}, {"lora_alpha": 16}, proof="silent",
    ),
    Rule(
        "warmup-twice", "training_args.py:__post_init__", given("warmup_ratio") & on("warmup_steps"),
        ("warmup_ratio", "warmup_steps"),
        "wins over {warmup_steps} in silence", "keep one",
        {"warmup_ratio": 0.1, "warmup_steps": 10}, {"warmup_steps": 10}, proof="silent",
    ),
    Rule(
        "template-literal", "data/template.py:get_template_and_fix_tokenizer",
        when("template", "default", "empty"),
        ("template",),
        "is a plain format of the engine's own, not the model's template",
        "leave it out to use the model's own",
        {"template": "default"}, {"template": "qwen3"}, severity="warning", proof="silent",
    ),
    Rule(
        "memory-optimizer-mixed-precision", PARSER,
        on("do_train") & on("use_galore", "use_apollo") & ~on("pure_bf16"),
        ("use_galore", "use_apollo", "pure_bf16"),
        "takes much more memory with mixed precision", "set {pure_bf16}: true on a GPU",
        {"use_galore": True, "finetuning_type": "full", "optim": "adamw_torch"}, {},
        severity="warning", proof="silent",
    ),
)  # fmt: skip
