"""Rules of FinetuningArguments: methods, stages and optimizers that exclude each other."""

from __future__ import annotations

from ftctl.rules.condition import above, fact, given, on, unless, when
from ftctl.rules.rule import Rule

SOURCE = "hparams/finetuning_args.py:__post_init__"


def _several_optimizers() -> Rule:
    names = ("use_galore", "use_apollo", "use_badam")
    return Rule(
        "one-memory-optimizer", SOURCE,
        fact(
            "more than one of `use_galore`, `use_apollo` and `use_badam`",
            lambda setting: sum(bool(setting.get(name)) for name in names) > 1,
        ),
        names,
        "cannot be joined with another of GaLore, APOLLO and BAdam", "keep one of them",
        {"finetuning_type": "full", "use_galore": True, "use_apollo": True},
        {"finetuning_type": "full", "use_galore": True},
    )  # fmt: skip


RULES: tuple[Rule, ...] = (
    Rule(
        "method-known", SOURCE, unless("finetuning_type", "lora", "oft", "freeze", "full"),
        ("finetuning_type",),
        "is no method of the engine", "write lora, oft, freeze or full",
        {"finetuning_type": "adapter"}, {"finetuning_type": "freeze"},
    ),
    Rule(
        "reference-model-bits", SOURCE, unless("ref_model_quantization_bit", None, 4, 8),
        ("ref_model_quantization_bit",),
        "takes 4 or 8", "write 4 or 8, or remove it",
        {"ref_model_quantization_bit": 3}, {"ref_model_quantization_bit": 8},
    ),
    Rule(
        "reward-model-bits", SOURCE, unless("reward_model_quantization_bit", None, 4, 8),
        ("reward_model_quantization_bit",),
        "takes 4 or 8", "write 4 or 8, or remove it",
        {"reward_model_quantization_bit": 3}, {"reward_model_quantization_bit": 8},
    ),
    Rule(
        "ppo-needs-reward-model", SOURCE, when("stage", "ppo") & when("reward_model", None),
        ("reward_model", "stage"),
        "is missing, and PPO needs a model that rewards", "name one",
        {"stage": "ppo"}, {"stage": "ppo", "reward_model": "judge"},
    ),
    Rule(
        "ppo-lora-reward", SOURCE,
        when("stage", "ppo") & when("reward_model_type", "lora") & unless("finetuning_type", "lora"),
        ("reward_model_type", "finetuning_type"),
        "is lora, and {finetuning_type} is not", "write full or api",
        {"stage": "ppo", "reward_model": "judge", "finetuning_type": "full"},
        {"stage": "ppo", "reward_model": "judge", "finetuning_type": "full", "reward_model_type": "full"},
    ),
    Rule(
        "ppo-oft-reward", SOURCE,
        when("stage", "ppo") & when("reward_model_type", "oft") & unless("finetuning_type", "oft"),
        ("reward_model_type", "finetuning_type"),
        "is oft, and {finetuning_type} is not", "write full or api",
        {"stage": "ppo", "reward_model": "judge", "reward_model_type": "oft"},
        {"stage": "ppo", "reward_model": "judge", "reward_model_type": "full"},
    ),
    Rule(
        "label-smoothing-needs-sigmoid", SOURCE,
        when("stage", "dpo") & unless("pref_loss", "sigmoid")
        & above("dpo_label_smoothing", 1e-6),
        ("dpo_label_smoothing", "pref_loss"),
        "works with the sigmoid loss alone", "remove it, or write {pref_loss}: sigmoid",
        {"stage": "dpo", "pref_loss": "orpo", "dpo_label_smoothing": 0.1},
        {"stage": "dpo", "pref_loss": "sigmoid", "dpo_label_smoothing": 0.1},
    ),
    Rule(
        "llama-pro-not-full", SOURCE, on("use_llama_pro") & when("finetuning_type", "full"),
        ("use_llama_pro", "finetuning_type"),
        "trains new blocks alone, and {finetuning_type} full trains everything",
        "use freeze or lora, or remove it",
        {"use_llama_pro": True, "finetuning_type": "full"},
        {"use_llama_pro": True, "finetuning_type": "freeze"},
    ),
    Rule(
        "lora-without-memory-optimizer", SOURCE,
        when("finetuning_type", "lora") & on("use_galore", "use_apollo", "use_badam"),
        ("use_galore", "use_apollo", "use_badam", "finetuning_type"),
        "is for training every weight, and {finetuning_type} is lora", "remove it, or train in full",
        {"use_badam": True}, {"use_badam": True, "finetuning_type": "full"},
    ),
    _several_optimizers(),
    Rule(
        "pissa-stage", SOURCE, on("pissa_init") & when("stage", "ppo", "kto"),
        ("pissa_init", "stage"),
        "changes the base model that this stage compares with", "remove it",
        {"stage": "kto", "pissa_init": True}, {"stage": "sft", "pissa_init": True},
    ),
    Rule(
        "pissa-reference-model", SOURCE,
        on("pissa_init") & when("stage", "dpo") & unless("pref_loss", "orpo", "simpo"),
        ("pissa_init", "pref_loss", "stage"),
        "changes the reference model that this loss needs", "remove it, or write {pref_loss}: orpo or simpo",
        {"stage": "dpo", "pissa_init": True}, {"stage": "dpo", "pissa_init": True, "pref_loss": "orpo"},
    ),
    Rule(
        "loraplus-needs-lora", SOURCE, given("loraplus_lr_ratio") & unless("finetuning_type", "lora"),
        ("loraplus_lr_ratio", "finetuning_type"),
        "is for LoRA alone", "remove it, or write {finetuning_type}: lora",
        {"loraplus_lr_ratio": 16.0, "finetuning_type": "full"}, {"loraplus_lr_ratio": 16.0},
    ),
    Rule(
        "rslora-needs-lora", SOURCE, on("use_rslora") & unless("finetuning_type", "lora"),
        ("use_rslora", "finetuning_type"),
        "is for LoRA alone", "remove it, or write {finetuning_type}: lora",
        {"use_rslora": True, "finetuning_type": "freeze"}, {"use_rslora": True},
    ),
    Rule(
        "dora-needs-lora", SOURCE, on("use_dora") & unless("finetuning_type", "lora"),
        ("use_dora", "finetuning_type"),
        "is for LoRA alone", "remove it, or write {finetuning_type}: lora",
        {"use_dora": True, "finetuning_type": "oft"}, {"use_dora": True},
    ),
    Rule(
        "pissa-needs-lora", SOURCE, on("pissa_init") & unless("finetuning_type", "lora"),
        ("pissa_init", "finetuning_type"),
        "is for LoRA alone", "remove it, or write {finetuning_type}: lora",
        {"pissa_init": True, "finetuning_type": "full"}, {"pissa_init": True},
    ),
)  # fmt: skip
