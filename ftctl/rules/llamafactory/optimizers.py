"""Rules of optimizers and losses: which go together, and which of several the engine takes in silence."""

from __future__ import annotations

from ftctl.rules.condition import below, fact, on, unless, when
from ftctl.rules.rule import Rule

SOURCE = "train/trainer_utils.py"
ORDER = ("use_galore", "use_apollo", "loraplus_lr_ratio", "use_badam", "use_adam_mini", "use_muon")
LOSSES = ("use_dft_loss", "use_eaft_loss", "use_asft_loss")
FULL = {"finetuning_type": "full", "optim": "adamw_torch"}
GALORE_OPTIM = ("adamw_torch", "adamw_bnb_8bit", "adamw_8bit", "paged_adamw_8bit", "adafactor")


def _layerwise(name: str) -> Rule:
    return Rule(
        f"{name}-layerwise-accumulation", f"{SOURCE}:_create_{name}_optimizer",
        on(f"use_{name}") & on(f"{name}_layerwise") & unless("gradient_accumulation_steps", 1),
        (f"{name}_layerwise", "gradient_accumulation_steps"),
        "updates each layer at once, and {gradient_accumulation_steps} gathers gradients first",
        "make the batch size equal to micro batch × devices",
        {**FULL, f"use_{name}": True, f"{name}_layerwise": True, "gradient_accumulation_steps": 2},
        {**FULL, f"use_{name}": True, f"{name}_layerwise": True}, proof="later",
    )  # fmt: skip


RULES: tuple[Rule, ...] = (
    Rule(
        "galore-optimizer", f"{SOURCE}:_create_galore_optimizer",
        on("use_galore") & unless("optim", *GALORE_OPTIM),
        ("optim", "use_galore"),
        "is none that GaLore wraps",
        "write adamw_torch, adamw_8bit or adafactor; the engine's own default fails",
        {"finetuning_type": "full", "use_galore": True}, {**FULL, "use_galore": True}, proof="later",
    ),
    Rule(
        "apollo-optimizer", f"{SOURCE}:_create_apollo_optimizer",
        on("use_apollo") & unless("optim", "adamw_torch"),
        ("optim", "use_apollo"),
        "is none that APOLLO wraps", "write adamw_torch; the engine's own default fails",
        {"finetuning_type": "full", "use_apollo": True}, {**FULL, "use_apollo": True}, proof="later",
    ),
    Rule(
        "badam-ratio-optimizer", f"{SOURCE}:_create_badam_optimizer",
        on("use_badam") & when("badam_mode", "ratio") & unless("optim", "adamw_torch"),
        ("optim", "badam_mode"),
        "is none that BAdam's ratio mode wraps", "write adamw_torch",
        {"finetuning_type": "full", "use_badam": True, "badam_mode": "ratio"},
        {**FULL, "use_badam": True, "badam_mode": "ratio"}, proof="later", unproved="the package badam",
    ),
    Rule(
        "badam-ratio-positive", f"{SOURCE}:_create_badam_optimizer",
        on("use_badam") & when("badam_mode", "ratio") & below("badam_update_ratio", 1e-6),
        ("badam_update_ratio", "badam_mode"),
        "is 0: nothing would be trained", "write a share above 0",
        {**FULL, "use_badam": True, "badam_mode": "ratio", "badam_update_ratio": 0.0},
        {**FULL, "use_badam": True, "badam_mode": "ratio"}, proof="later",
    ),
    _layerwise("galore"),
    _layerwise("apollo"),
    Rule(
        "one-optimizer", f"{SOURCE}:create_custom_optimizer",
        fact(
            f"more than one of {', '.join(f'`{name}`' for name in ORDER)}",
            lambda setting: sum(bool(setting.get(name)) for name in ORDER) > 1,
        ),
        tuple(reversed(ORDER)),
        "is one of several special optimizers, and the engine takes the first of GaLore, APOLLO, LoRA+, "
        "BAdam, Adam-mini and Muon in silence",
        "keep one",
        {**FULL, "use_muon": True, "use_adam_mini": True}, {**FULL, "use_muon": True}, proof="silent",
    ),
    Rule(
        "one-special-loss", "train/sft/trainer.py:__init__",
        fact(
            f"more than one of {', '.join(f'`{name}`' for name in LOSSES)}",
            lambda setting: sum(bool(setting.get(name)) for name in LOSSES) > 1,
        ),
        tuple(reversed(LOSSES)),
        "is one of several losses, and the engine takes the first of DFT, EAFT and ASFT in silence",
        "keep one",
        {"use_dft_loss": True, "use_eaft_loss": True}, {"use_dft_loss": True}, proof="silent",
    ),
    Rule(
        "special-loss-needs-sft", "train/sft/trainer.py:__init__", on(*LOSSES) & unless("stage", "sft"),
        (*LOSSES, "stage"),
        "is for supervised fine-tuning alone, and left out in silence elsewhere", "remove it",
        {"stage": "dpo", "use_dft_loss": True}, {"use_dft_loss": True}, proof="silent",
    ),
)  # fmt: skip
