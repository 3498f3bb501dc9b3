"""Rules of transformers' TrainingArguments: steps, strategies, precision."""

from __future__ import annotations

from ftctl.rules.condition import (
    ALONE,
    OLD_DEVICE,
    Condition,
    below,
    broken_number,
    fact,
    given,
    lacks,
    on,
    unless,
    when,
)
from ftctl.rules.rule import Proof, Rule
from ftctl.rules.setting import Place, Setting

VALIDATE = "training_args.py:_validate_args"
INIT = "training_args.py:__post_init__"
STRATEGIES = ("no", "steps", "epoch")
SCHEDULERS = (
    "linear", "cosine", "cosine_with_restarts", "polynomial", "constant", "constant_with_warmup",
    "inverse_sqrt", "reduce_lr_on_plateau", "greedy", "cosine_with_min_lr",
    "cosine_warmup_with_min_lr", "warmup_stable_decay",
)  # fmt: skip
EVALUATED = {"val_size": 0.1, "eval_strategy": "steps"}
BEST = {**EVALUATED, "load_best_model_at_end": True}
STEPS_OF_BOTH = on("load_best_model_at_end") & when("eval_strategy", "steps") & when("save_strategy", "steps")


def _choice(name: str, known: tuple[str, ...], allowed: dict[str, object]) -> Rule:
    """One of the engine's own words, which its enumeration refuses otherwise."""
    return Rule(
        f"{name.replace('_', '-')}-known", INIT, unless(name, *known), (name,),
        "is no word that the engine knows", f"write {', '.join(known[:-1])} or {known[-1]}",
        {**allowed, name: "sometimes"}, {**allowed, name: known[0]},
    )  # fmt: skip


def _whole(name: str, more: dict[str, object]) -> Rule:
    strategy = name.replace("_steps", "_strategy")
    return Rule(
        f"{name.replace('_', '-')}-whole", VALIDATE, when(strategy, "steps") & broken_number(name), (name,),
        "is no whole number", "write a whole number of steps, or a share below 1",
        {**more, name: 1.5}, {**more, name: 2},
    )  # fmt: skip


def _eval_steps(setting: Setting) -> float:
    """Where eval_steps is not set, transformers takes logging_steps."""
    return setting.number("eval_steps") or setting.number("logging_steps") or 0


def _save_steps(setting: Setting) -> float:
    return setting.number("save_steps") or 0


def _mixed(setting: Setting) -> bool:
    """One of the two is a share and the other a count."""
    return (_eval_steps(setting) < 1) != (_save_steps(setting) < 1)


def _no_multiple(setting: Setting) -> bool:
    every, save = _eval_steps(setting), _save_steps(setting)
    if every <= 0 or _mixed(setting):
        return False
    scale = 1_000_000 if every < 1 else 1
    return save % every != 0 and (save * scale) % (every * scale) != 0


def _plateau(name: str) -> Rule:
    return Rule(
        f"{name.replace('_', '-').removesuffix('-lr-on-plateau')}-needs-evaluation", VALIDATE,
        when("lr_scheduler_type", name) & when("eval_strategy", "no"), ("lr_scheduler_type", "eval_strategy"),
        f"is {name}, which follows the evaluation, and there is none",
        "evaluate (data.eval), or take another schedule",
        {"lr_scheduler_type": name}, {**EVALUATED, "lr_scheduler_type": name},
    )  # fmt: skip


def _exclude(first: str, second: str) -> Rule:
    return Rule(
        f"{first}-or-{second}".replace("_", "-"), VALIDATE, on(first) & on(second), (first, second),
        f"and {{{second}}} are both on", "keep one",
        {first: True, second: True}, {first: False, second: True},
    )  # fmt: skip


def _device(name: str, broken: Condition, message: str, remedy: str, place: Place, proof: Proof) -> Rule:
    return Rule(
        name, VALIDATE, broken, ("bf16", "bf16_full_eval"), message, remedy,
        {"bf16": True, "use_cpu": False}, {"bf16": True}, place=place, proof=proof,
    )  # fmt: skip


RULES: tuple[Rule, ...] = (
    _choice("eval_strategy", STRATEGIES, {"val_size": 0.1}),
    _choice("logging_strategy", STRATEGIES, {}),
    _choice("save_strategy", (*STRATEGIES, "best"), {}),
    _choice("hub_strategy", ("end", "every_save", "checkpoint", "all_checkpoints"), {}),
    _choice("lr_scheduler_type", SCHEDULERS, {}),
    Rule(
        "eval-steps-needed", INIT,
        when("eval_strategy", "steps") & ~on("eval_steps")
        & fact("no `logging_steps`", lambda setting: (setting.number("logging_steps") or 0) <= 0),
        ("eval_steps", "logging_steps"),
        "is missing", "set it",
        {**EVALUATED, "logging_steps": 0, "logging_strategy": "no"},
        {**EVALUATED, "logging_steps": 0, "logging_strategy": "no", "eval_steps": 10},
    ),
    Rule(
        "empty-cache-steps", VALIDATE,
        fact(
            "`torch_empty_cache_steps` no whole number above 0",
            lambda s: (value := s.get("torch_empty_cache_steps")) is not None
            and not (isinstance(value, int) and value > 0),
        ),
        ("torch_empty_cache_steps",),
        "is no count of steps", "write 1 or more, or remove it",
        {"torch_empty_cache_steps": 0}, {"torch_empty_cache_steps": 1},
    ),
    Rule(
        "logging-steps-not-zero", VALIDATE, when("logging_strategy", "steps") & when("logging_steps", 0),
        ("logging_steps", "logging_strategy"),
        "is 0", "write 1 or more",
        {"logging_steps": 0}, {"logging_steps": 1},
    ),
    _whole("logging_steps", {}),
    _whole("eval_steps", dict(EVALUATED)),
    _whole("save_steps", {}),
    Rule(
        "best-needs-equal-strategies", VALIDATE,
        on("load_best_model_at_end") & unless("save_strategy", "best") & fact(
            "`eval_strategy` other than `save_strategy`",
            lambda setting: setting.get("eval_strategy") != setting.get("save_strategy"),
        ),
        ("load_best_model_at_end", "eval_strategy", "save_strategy"),
        "needs an evaluation at every checkpoint", "give {eval_strategy} and {save_strategy} the same value",
        {"load_best_model_at_end": True}, {**BEST, "eval_steps": 500},
    ),
    Rule(
        "best-needs-a-multiple", VALIDATE,
        STEPS_OF_BOTH & fact("`save_steps` no multiple of `eval_steps`", _no_multiple),
        ("save_steps", "eval_steps", "load_best_model_at_end"),
        "is no multiple of {eval_steps}", "save at every evaluation, or every second, third, … one",
        {**BEST, "eval_steps": 3, "save_steps": 10}, {**BEST, "eval_steps": 3, "save_steps": 9},
    ),
    Rule(
        "best-needs-one-kind-of-steps", VALIDATE,
        STEPS_OF_BOTH & fact("one of `save_steps` and `eval_steps` a share", _mixed),
        ("save_steps", "eval_steps", "load_best_model_at_end"),
        "and {eval_steps} are a share and a count", "write both as shares below 1, or both as counts",
        {**BEST, "eval_steps": 0.3, "save_steps": 10}, {**BEST, "eval_steps": 0.1, "save_steps": 0.2},
    ),
    _device(
        "bf16-needs-a-device", on("bf16", "bf16_full_eval") & ~on("use_cpu")
        & fact("a GPU without bf16, or none", lambda setting: setting.place.bf16 is False),
        "is on, and the GPU has no bf16", "write fp16",
        Place(gpus=1, bf16=False), "parser",
    ),
    _exclude("fp16", "bf16"),
    _exclude("fp16_full_eval", "bf16_full_eval"),
    _plateau("reduce_lr_on_plateau"),
    _plateau("greedy"),
    Rule(
        "warmup-not-negative", VALIDATE, below("warmup_steps", 0) | below("warmup_ratio", 0),
        ("warmup_steps", "warmup_ratio"),
        "is below 0", "write a share below 1, or a count of steps",
        {"warmup_steps": -1}, {"warmup_steps": 0.1},
    ),
    Rule(
        "prefetch-needs-workers", VALIDATE,
        given("dataloader_prefetch_factor") & when("dataloader_num_workers", 0),
        ("dataloader_prefetch_factor", "dataloader_num_workers"),
        "needs workers that load ahead", "set {dataloader_num_workers} to 1 or more, or remove it",
        {"dataloader_prefetch_factor": 2}, {"dataloader_prefetch_factor": 2, "dataloader_num_workers": 1},
    ),
    Rule(
        "tf32-needs-a-gpu", INIT,
        on("tf32") & OLD_DEVICE,
        ("tf32",),
        "needs a GPU of the Ampere generation or newer", "remove it",
        {"tf32": True}, {"tf32": False},
    ),
    Rule(
        "backend-needs-processes", "training_args.py:_setup_devices",
        given("ddp_backend") & on("use_cpu") & ALONE, ("ddp_backend",),
        "is set, and one process on the CPU has nobody to talk to", "remove it, or raise resources.processes",
        {"ddp_backend": "gloo"}, {},
    ),
    Rule(
        "best-checkpoint-needs-metric", "trainer.py:_validate_args",
        when("save_strategy", "best") & when("metric_for_best_model", None)
        & ~on("load_best_model_at_end") & unless("lr_scheduler_type", "reduce_lr_on_plateau", "greedy"),
        ("metric_for_best_model", "save_strategy"),
        "is missing, and {save_strategy} best asks which checkpoint is best", "set it, for example to loss",
        {**EVALUATED, "save_strategy": "best"},
        {**EVALUATED, "save_strategy": "best", "metric_for_best_model": "loss"}, proof="later",
    ),
    Rule(
        "report-package", "integrations/integration_utils.py:__init__",
        lacks("wandb") & fact("`report_to` wandb", lambda s: "wandb" in s.words("report_to")), ("report_to",),
        "names wandb, which the engine's environment lacks", "remove it, or install the package there",
        {"report_to": "wandb"}, {"report_to": "none"}, proof="later",
        place=Place(packages=frozenset({"torch"})),
    ),
)  # fmt: skip
