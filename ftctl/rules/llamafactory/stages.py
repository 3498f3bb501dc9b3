"""Rules of the parser of a training: what a stage takes, and what evaluation and prediction need."""

from __future__ import annotations

from ftctl.rules.condition import (
    DISTRIBUTED,
    EVALUATES,
    OLD_DEVICE,
    absent,
    below,
    fact,
    names,
    on,
    unless,
    when,
)
from ftctl.rules.rule import TWO, Rule
from ftctl.rules.setting import Place

SOURCE = "hparams/parser.py:get_train_args"
PPO = {"stage": "ppo", "reward_model": "judge"}
LAYERWISE = {"finetuning_type": "full", "optim": "adamw_torch"}
NO_ROWS = absent("eval_dataset") & ~fact(
    "held-out rows", lambda setting: (setting.number("val_size") or 0) >= 1e-6
)
LOGGERS = ("wandb", "tensorboard", "trackio", "none")


def _sft_only(*arguments: str) -> tuple[Rule, ...]:
    return tuple(
        Rule(
            f"{name.replace('_', '-')}-needs-sft", SOURCE, on(name) & unless("stage", "sft"), (name, "stage"),
            "is for supervised fine-tuning alone", "remove it",
            {"stage": "kto", "val_size": 0.1, "eval_strategy": "epoch", name: True},
            {"val_size": 0.1, "eval_strategy": "epoch", name: True},
        )
        for name in arguments
    )  # fmt: skip


def _ppo_lora_reward(name: str, shown: str) -> Rule:
    return Rule(
        f"ppo-lora-reward-without-{name.removeprefix('use_')}", SOURCE,
        when("stage", "ppo") & when("reward_model_type", "lora") & on(name), (name, "reward_model_type"),
        f"cannot load a LoRA reward model ({shown})", "write {reward_model_type}: full or api, or remove it",
        {**PPO, name: True}, {**PPO, name: True, "reward_model_type": "full"},
    )  # fmt: skip


def _layerwise(name: str, shown: str) -> Rule:
    return Rule(
        f"{name}-layerwise-one-process", SOURCE, DISTRIBUTED & on(f"use_{name}") & on(f"{name}_layerwise"),
        (f"{name}_layerwise", f"use_{name}"),
        f"updates each layer at once, and {shown} cannot do that on several devices",
        "remove it, or train on one device",
        {**LAYERWISE, f"use_{name}": True, f"{name}_layerwise": True}, {**LAYERWISE, f"use_{name}": True},
        place=TWO,
    )  # fmt: skip


RULES: tuple[Rule, ...] = (
    *_sft_only("predict_with_generate", "neat_packing", "train_on_prompt", "mask_history"),
    Rule(
        "predict-needs-generate", SOURCE,
        when("stage", "sft") & on("do_predict") & ~on("predict_with_generate"),
        ("do_predict", "predict_with_generate"),
        "writes predictions, and {predict_with_generate} is off", "set {predict_with_generate}: true",
        {"do_predict": True, "eval_dataset": "two"},
        {"do_predict": True, "eval_dataset": "two", "predict_with_generate": True},
    ),
    Rule(
        "best-model-not-for-rewards", SOURCE, when("stage", "rm", "ppo") & on("load_best_model_at_end"),
        ("load_best_model_at_end", "stage"),
        "does not work for reward models and PPO", "remove it",
        {"stage": "rm", "load_best_model_at_end": True, "val_size": 0.1, "eval_strategy": "steps"},
        {"stage": "rm", "val_size": 0.1, "eval_strategy": "steps"},
    ),
    Rule(
        "ppo-trains", SOURCE, when("stage", "ppo") & ~on("do_train"), ("do_train", "stage"),
        "is off, and PPO cannot evaluate", "evaluate with supervised fine-tuning's stage",
        {**PPO, "do_train": False}, PPO,
    ),
    Rule(
        "ppo-without-shift-attention", SOURCE, when("stage", "ppo") & on("shift_attn"),
        ("shift_attn", "stage"),
        "does not go with PPO", "remove it",
        {**PPO, "shift_attn": True}, PPO,
    ),
    _ppo_lora_reward("use_kt", "KTransformers"),
    _ppo_lora_reward("use_unsloth", "unsloth"),
    Rule(
        "ppo-loggers", SOURCE,
        when("stage", "ppo") & fact(
            "`report_to` other than wandb, tensorboard, trackio or none",
            lambda setting: any(word not in (*LOGGERS, "all") for word in setting.words("report_to")),
        ),
        ("report_to", "stage"),
        "names a logger that PPO does not take", f"write {', '.join(LOGGERS)}",
        {**PPO, "report_to": "mlflow"}, {**PPO, "report_to": "tensorboard"},
    ),
    Rule(
        "evaluation-needs-rows", SOURCE, EVALUATES & NO_ROWS,
        ("eval_strategy", "do_eval", "do_predict", "predict_with_generate", "eval_dataset"),
        "asks for an evaluation, and there are no rows for it", "set data.eval, for example to 0.05",
        {"eval_strategy": "epoch"}, {"eval_strategy": "epoch", "val_size": 0.1},
    ),
    Rule(
        "generate-or-accuracy", SOURCE, on("predict_with_generate") & on("compute_accuracy"),
        ("compute_accuracy", "predict_with_generate"),
        "and {predict_with_generate} are both on", "keep one",
        {"predict_with_generate": True, "compute_accuracy": True, "val_size": 0.1, "do_eval": True},
        {"compute_accuracy": True, "val_size": 0.1, "do_eval": True},
    ),
    _layerwise("galore", "GaLore"),
    _layerwise("apollo", "APOLLO"),
    Rule(
        "badam-ratio-one-process", SOURCE, DISTRIBUTED & on("use_badam") & when("badam_mode", "ratio"),
        ("badam_mode", "use_badam"),
        "is ratio, which works in one process alone", "train on one device",
        {**LAYERWISE, "use_badam": True, "badam_mode": "ratio"}, LAYERWISE, place=TWO,
    ),
    Rule(
        "badam-layer-needs-zero3", SOURCE,
        DISTRIBUTED & on("use_badam") & unless("badam_mode", "ratio")
        & fact("no DeepSpeed ZeRO-3", lambda s: not s.get("deepspeed") or s.zero in (0, 1, 2)),
        ("use_badam", "deepspeed"),
        "needs DeepSpeed ZeRO-3 on several devices", "train on one device, or set {deepspeed}",
        {**LAYERWISE, "use_badam": True}, LAYERWISE, place=TWO,
    ),
    Rule(
        "pure-bf16-needs-a-gpu", SOURCE,
        on("pure_bf16") & OLD_DEVICE,
        ("pure_bf16",),
        "needs a GPU with bf16", "remove it",
        {"pure_bf16": True}, {},
    ),
    Rule(
        "trackio-needs-project", "hparams/parser.py:_verify_trackio_args",
        names("report_to", "trackio") & ~on("project"), ("project", "report_to"),
        "is empty, and trackio needs one", "name a project",
        {"report_to": "trackio", "project": ""}, {"report_to": "trackio", "project": "mine"},
    ),
    Rule(
        "resume-not-for-full-rewards", SOURCE,
        when("stage", "rm", "ppo") & when("finetuning_type", "full", "freeze") & on("resume_from_checkpoint"),
        ("resume_from_checkpoint", "stage"),
        "is ignored here: this stage begins again", "remove it, or train with lora",
        {"stage": "rm", "finetuning_type": "full", "resume_from_checkpoint": "output/checkpoint-1"},
        {"stage": "rm", "finetuning_type": "full"}, severity="warning", proof="silent",
    ),
    Rule(
        "resume-rewards-with-adapter", SOURCE,
        when("stage", "rm", "ppo") & when("finetuning_type", "lora") & on("resume_from_checkpoint")
        & absent("adapter_name_or_path"),
        ("resume_from_checkpoint", "adapter_name_or_path"),
        "takes the optimizer and not the adapter", "name the checkpoint as {adapter_name_or_path} too",
        {"stage": "rm", "resume_from_checkpoint": "output/checkpoint-1"},
        {"stage": "rm", "resume_from_checkpoint": "output/checkpoint-1",
         "adapter_name_or_path": "output/checkpoint-1"},
        severity="warning", proof="silent",
    ),
    Rule(
        "output-has-weights", SOURCE,
        on("do_train") & ~on("overwrite_output_dir", "resume_from_checkpoint")
        & fact("an output folder with weights and no checkpoint", lambda s: s.place.output == "weights"),
        ("output_dir",),
        "holds weights of another training", "choose another folder",
        {}, {"overwrite_output_dir": True}, place=Place(output="weights"),
    ),
    Rule(
        "output-resumes-unasked", SOURCE,
        on("do_train") & ~on("overwrite_output_dir", "resume_from_checkpoint")
        & fact("an output folder with checkpoints", lambda s: s.place.output == "checkpoints"),
        ("output_dir", "resume_from_checkpoint"),
        "holds checkpoints: the engine goes on from the last of them without being asked",
        "choose another folder, or set {resume_from_checkpoint}",
        {}, {"overwrite_output_dir": True}, proof="silent", place=Place(output="checkpoints"),
    ),
    Rule(
        "early-stopping-needs-metric", "trainer_callback.py:on_train_begin",
        on("early_stopping_steps") & (
            when("eval_strategy", "no")
            | (absent("metric_for_best_model") & ~on("load_best_model_at_end"))
        ),
        ("early_stopping_steps", "metric_for_best_model", "eval_strategy"),
        "needs an evaluation and a figure to watch", "set data.eval and {metric_for_best_model}: loss",
        {"early_stopping_steps": 3},
        {"early_stopping_steps": 3, "eval_strategy": "steps", "val_size": 0.1,
         "metric_for_best_model": "loss"},
        proof="later",
    ),
    Rule(
        "layers-positive", "model/adapter.py:_setup_freeze_tuning",
        when("finetuning_type", "freeze") & when("freeze_trainable_layers", 0), ("freeze_trainable_layers",),
        "is 0: nothing would be trained",
        "write a positive number for the last blocks, a negative for the first",
        {"finetuning_type": "freeze", "freeze_trainable_layers": 0}, {"finetuning_type": "freeze"},
        proof="silent",
    ),
    Rule(
        "rank-positive", "model/adapter.py:_setup_lora_tuning",
        when("finetuning_type", "lora") & below("lora_rank", 1),
        ("lora_rank",),
        "is below 1", "write 8 or another positive number",
        {"lora_rank": 0}, {"lora_rank": 1}, proof="later",
    ),
)  # fmt: skip
