"""Rules of what an argument of FlagEmbedding's programs needs installed in its environment."""

from __future__ import annotations

from ftctl.rules.condition import fact, lacks, on, when
from ftctl.rules.flagembedding.programs import DECODERS, PROGRAMS, of
from ftctl.rules.flagembedding.training import ALL_PACKAGES
from ftctl.rules.rule import Rule
from ftctl.rules.setting import Place

OPTIMIZERS = "transformers/trainer_optimizer.py:"
REMEDY = "remove it, or use an environment that has it (train.engine_python)"
# The optimizers of each package, and the function of transformers that looks for it.
LOOKED_FOR = {
    "bitsandbytes": ("_get_bitsandbytes_optimizer", (
        "adamw_bnb_8bit", "adamw_8bit", "paged_adamw_32bit", "paged_adamw_8bit", "ademamix", "ademamix_8bit",
        "paged_ademamix_32bit", "paged_ademamix_8bit", "lion_32bit", "lion_8bit", "paged_lion_32bit",
        "paged_lion_8bit", "rmsprop_bnb", "rmsprop_bnb_8bit", "rmsprop_bnb_32bit",
    )),
    "galore-torch": ("_get_galore_optimizer", (
        "galore_adamw", "galore_adamw_8bit", "galore_adafactor", "galore_adamw_layerwise",
        "galore_adamw_8bit_layerwise", "galore_adafactor_layerwise",
    )),
    "apollo-torch": ("_get_apollo_optimizer", ("apollo_adamw", "apollo_adamw_layerwise")),
    "lomo-optim": ("_get_lomo_optimizer", ("lomo", "adalomo")),
    "grokadamw": ("_get_grokadamw", ("grokadamw",)),
    "torchao": ("_get_torchao_optimizer", ("adamw_torch_4bit", "adamw_torch_8bit")),
    "schedulefree": ("_get_schedule_free_optimizer", (
        "schedule_free_radam", "schedule_free_adamw", "schedule_free_sgd",
    )),
    "torch-optimi": ("_get_stable_adamw", ("stable_adamw",)),
}  # fmt: skip
LOW_RANK = (*LOOKED_FOR["galore-torch"][1], *LOOKED_FOR["apollo-torch"][1])


def _optimizer(package: str, function: str, optimizers: tuple[str, ...]) -> Rule:
    return Rule(
        f"optim-needs-{package}", OPTIMIZERS.removeprefix("transformers/") + function,
        when("optim", *optimizers) & lacks(package), ("optim",),
        f"needs the package {package}, which the engine's environment does not have",
        "write adamw_torch, or use an environment that has it (train.engine_python)",
        {"optim": optimizers[0], "optim_target_modules": "all-linear"}, {"optim": "adamw_torch"},
        proof="later", place=Place(packages=ALL_PACKAGES - {package}),
    )  # fmt: skip


RULES: tuple[Rule, ...] = (
    *of(PROGRAMS, *(_optimizer(package, *found) for package, found in LOOKED_FOR.items())),
    *of(
        PROGRAMS,
        Rule(
            "low-rank-optimizer-needs-targets", "trainer_optimizer.py:_setup_low_rank_optimizer",
            when("optim", *LOW_RANK)
            & fact("no `optim_target_modules`", lambda setting: not setting.get("optim_target_modules")),
            ("optim_target_modules", "optim"),
            "is missing, and {optim} works on the layers that it names", "write all-linear",
            {"optim": "galore_adamw"}, {"optim": "galore_adamw", "optim_target_modules": "all-linear"},
            proof="later", place=Place(packages=ALL_PACKAGES),
        ),
        Rule(
            "kernels-need-liger", "integrations/liger.py:apply_liger_kernel",
            on("use_liger_kernel") & lacks("liger-kernel"), ("use_liger_kernel",),
            "needs the package liger-kernel, which the engine's environment does not have", REMEDY,
            {"use_liger_kernel": True}, proof="later", place=Place(packages=ALL_PACKAGES - {"liger-kernel"}),
        ),
        Rule(
            "report-needs-tensorboard", "trainer.py:__init__",
            lacks("tensorboard") & fact(
                "`report_to` tensorboard", lambda setting: "tensorboard" in setting.words("report_to")
            ),
            ("report_to",),
            "names tensorboard, which the engine's environment lacks",
            "remove it, or install the package there",
            {"report_to": "tensorboard"}, proof="later", place=Place(packages=ALL_PACKAGES - {"tensorboard"}),
        ),
    ),
    *of(
        DECODERS,
        Rule(
            "flash-needs-flash-attn", "load_model.py:get_model",
            on("use_flash_attn") & lacks("flash-attn"), ("use_flash_attn",),
            "needs the package flash-attn, which the engine's environment does not have", REMEDY,
            {"use_flash_attn": True}, proof="later", place=Place(packages=ALL_PACKAGES - {"flash-attn"}),
        ),
    ),
)  # fmt: skip
