"""Rules of transformers' TrainingArguments, as far as FlagEmbedding's programs reach them."""

from __future__ import annotations

from dataclasses import replace

from ftctl.rules.condition import (
    ALONE,
    DISTRIBUTED,
    ON_CPU,
    SHARDED,
    above,
    below,
    fact,
    given,
    lacks,
    on,
    unless,
    when,
)
from ftctl.rules.flagembedding.programs import DECODER_EMBEDDER, EMBEDDER, ICL, M3, PROGRAMS, RERANKERS, of
from ftctl.rules.llamafactory import distributed, trainer
from ftctl.rules.rule import TWO, Rule
from ftctl.rules.setting import Place, Setting

VALIDATE = "training_args.py:_validate_args"
INIT = "training_args.py:__post_init__"
STARTED = "trainer.py:__init__"
COMPARED = "trainer.py:_validate_args"
# Checks of transformers that LLaMA-Factory's training reaches in the same way: told in the same words.
SHARED = (
    "empty-cache-steps", "logging-steps-not-zero", "logging-steps-whole", "save-steps-whole", "fp16-or-bf16",
    "fp16-full-eval-or-bf16-full-eval", "warmup-not-negative", "prefetch-needs-workers", "tf32-needs-a-gpu",
    "backend-needs-processes", "report-package",
)  # fmt: skip
ALL_PACKAGES = frozenset({
    "apollo-torch", "bitsandbytes", "deepspeed", "flash-attn", "galore-torch", "grokadamw", "liger-kernel",
    "lomo-optim", "schedulefree", "tensorboard", "torch-optimi", "torchao", "wandb",
})  # fmt: skip


def _shared() -> tuple[Rule, ...]:
    """The rules of that name, about the arguments that transformers 5.23.0 still has."""
    found = (rule for rule in (*trainer.RULES, *distributed.RULES) if rule.name in SHARED)
    return tuple(
        replace(rule, about=tuple(name for name in rule.about if name != "warmup_ratio")) for rule in found
    )


def _late(setting: Setting) -> bool:
    """Less is trained than one line of the log covers."""
    steps, every = setting.number("max_steps") or 0, setting.number("logging_steps") or 0
    return 0 < steps < every


def _nothing(setting: Setting) -> bool:
    epochs = setting.number("num_train_epochs")
    return epochs is not None and epochs <= 0 and (setting.number("max_steps") or 0) <= 0


RULES: tuple[Rule, ...] = (*of(PROGRAMS, *_shared(), *(
    Rule(
        "evaluation-not-there", COMPARED, unless("eval_strategy", "no", None), ("eval_strategy",),
        "asks for an evaluation, and FlagEmbedding's programs read no evaluation data",
        "remove it, and judge the trained model on held-out queries",
        {"eval_strategy": "epoch"}, {}, proof="later",
    ),
    Rule(
        "first-evaluation-not-there", "trainer.py:get_eval_dataloader", on("eval_on_start"),
        ("eval_on_start",),
        "asks for an evaluation, and FlagEmbedding's programs read no evaluation data", "remove it",
        {"eval_on_start": True}, {}, proof="later",
    ),
    Rule(
        "plateau-not-there", VALIDATE,
        when("lr_scheduler_type", "reduce_lr_on_plateau", "greedy") & when("eval_strategy", "no"),
        ("lr_scheduler_type",),
        "follows the evaluation, and FlagEmbedding's programs have none", "take another schedule",
        {"lr_scheduler_type": "reduce_lr_on_plateau"}, {"lr_scheduler_type": "cosine"},
    ),
    Rule(
        "best-model-not-there", VALIDATE,
        on("load_best_model_at_end") & when("eval_strategy", "no") & unless("save_strategy", "no", "best"),
        ("load_best_model_at_end",),
        "compares evaluations, and FlagEmbedding's programs have none", "remove it",
        {"load_best_model_at_end": True}, {},
    ),
    Rule(
        "best-checkpoint-not-there", "trainer.py:_maybe_log_save_evaluate",
        when("save_strategy", "best") & when("eval_strategy", "no") & given("metric_for_best_model"),
        ("save_strategy",),
        "is best, and nothing is ever evaluated: the engine saves no checkpoint", "write steps or epoch",
        {"save_strategy": "best", "metric_for_best_model": "loss"}, {"save_strategy": "epoch"},
        proof="silent",
    ),
    Rule(
        "best-checkpoint-without-metric", COMPARED,
        when("save_strategy", "best") & when("eval_strategy", "no") & ~given("metric_for_best_model")
        & ~on("load_best_model_at_end"),
        ("save_strategy",),
        "is best, and nothing is ever evaluated", "write steps or epoch",
        {"save_strategy": "best"}, {"save_strategy": "epoch"}, proof="later",
    ),
    Rule(
        "evaluation-unread", "abc/finetune/embedder/AbsRunner.py:run", on("do_eval", "do_predict"),
        ("do_eval", "do_predict"),
        "is never read by FlagEmbedding's programs", "remove it",
        {"do_eval": True}, {}, severity="warning", proof="silent",
    ),
    Rule(
        "bf16-needs-use-cpu", VALIDATE, on("bf16", "bf16_full_eval") & ON_CPU & ~on("use_cpu"),
        ("bf16", "bf16_full_eval", "use_cpu"),
        "is refused on the CPU without {use_cpu}", "set {use_cpu}: true, or remove it",
        {"bf16": True, "use_cpu": False}, {"bf16": True, "use_cpu": True},
    ),
    Rule(
        "bf16-needs-an-ampere", VALIDATE,
        on("bf16", "bf16_full_eval") & ~on("use_cpu")
        & fact("a GPU without bf16", lambda setting: setting.place.bf16 is False),
        ("bf16", "bf16_full_eval"),
        "is on, and the GPU has no bf16", "write fp16",
        {"bf16": True, "use_cpu": False}, {"bf16": True, "use_cpu": True}, place=Place(gpus=1, bf16=False),
    ),
    Rule(
        "fp16-on-the-cpu", INIT, on("fp16") & ON_CPU, ("fp16",),
        "does nothing on the CPU: the engine trains in fp32", "remove it, or use bf16",
        {"fp16": True}, {"bf16": True}, proof="silent",
    ),
    Rule(
        "processes-unconnected", "training_args.py:_setup_devices", DISTRIBUTED & ON_CPU & ~on("use_cpu"),
        ("use_cpu",),
        "is off, and several processes on the CPU are then separate copies that write over each other",
        "set {use_cpu}: true",
        {"use_cpu": False}, {"use_cpu": True}, proof="silent", place=TWO,
    ),
    Rule(
        "deepspeed-installed", "integrations/deepspeed.py:__init__", on("deepspeed") & lacks("deepspeed"),
        ("deepspeed",),
        "needs the package deepspeed, which the engine's environment does not have",
        "remove it, or use an environment that has it (train.engine_python)",
        {"deepspeed": {"zero_optimization": {"stage": 2}}},
        place=Place(world_size=2, packages=ALL_PACKAGES - {"deepspeed"}),
    ),
    Rule(
        "sharded-weights-not-saved", "finetune/embedder/encoder_only/base/trainer.py:_save", SHARDED,
        ("deepspeed", "fsdp"),
        "spreads the weights, and FlagEmbedding saves only the part that its own process holds",
        "take ZeRO-2, or remove it",
        {"fsdp": "full_shard"}, {}, proof="silent", place=TWO,
    ),
    Rule(
        "fsdp-needs-processes", STARTED, on("fsdp") & ALONE, ("fsdp",),
        "spreads the weights over processes, and there is one", "use several GPUs, or remove it",
        {"fsdp": "full_shard"}, {}, proof="later",
    ),
    Rule(
        "noise-not-there", "neftune.py:activate_neftune", given("neftune_noise_alpha"),
        ("neftune_noise_alpha",),
        "adds noise to embeddings that FlagEmbedding's models do not show to the trainer", "remove it",
        {"neftune_noise_alpha": 5.0}, {}, proof="later",
    ),
    Rule(
        "rows-have-no-length", "trainer.py:_get_train_sampler",
        when("train_sampling_strategy", "group_by_length", "batch_rebalance"), ("train_sampling_strategy",),
        "sorts rows by length, and FlagEmbedding's rows have none", "write random or sequential",
        {"train_sampling_strategy": "group_by_length"}, {"train_sampling_strategy": "sequential"},
        proof="later",
    ),
    Rule(
        "batch-not-empty", "trainer.py:_get_dataloader", below("per_device_train_batch_size", 1),
        ("per_device_train_batch_size",),
        "is below 1", "write 1 or more",
        {"per_device_train_batch_size": 0}, {"per_device_train_batch_size": 1}, proof="later",
    ),
    Rule(
        "accumulation-not-empty", "trainer.py:set_initial_training_values",
        below("gradient_accumulation_steps", 1), ("gradient_accumulation_steps",),
        "is below 1", "write 1 or more",
        {"gradient_accumulation_steps": 0}, {"gradient_accumulation_steps": 1}, proof="later",
    ),
    Rule(
        "nothing-is-trained", "trainer.py:_inner_training_loop", fact(
            "`num_train_epochs` 0 or less and no `max_steps`", _nothing
        ),
        ("num_train_epochs", "max_steps"),
        "trains nothing: the engine saves the base model as the result", "write what is meant",
        {"num_train_epochs": 0, "max_steps": -1}, {"num_train_epochs": 1, "max_steps": -1}, proof="silent",
    ),
    Rule(
        "log-longer-than-training", "trainer.py:_maybe_log_save_evaluate",
        when("logging_strategy", "steps") & fact("`logging_steps` over `max_steps`", _late),
        ("logging_steps", "max_steps"),
        "is more than {max_steps}: the engine logs no loss", "write a smaller number",
        {"max_steps": 2, "logging_steps": 500}, {"max_steps": 2, "logging_steps": 1},
        severity="warning", proof="silent",
    ),
)), *of(
    (EMBEDDER, DECODER_EMBEDDER, ICL),
    Rule(
        "label-smoothing-refused", STARTED, above("label_smoothing_factor", 0), ("label_smoothing_factor",),
        "asks the model for its configuration, which FlagEmbedding's embedders do not show", "remove it",
        {"label_smoothing_factor": 0.1}, {}, proof="later",
    ),
), *of(
    (M3, *RERANKERS),
    Rule(
        "label-smoothing-unread", "abc/finetune/reranker/AbsTrainer.py:compute_loss",
        above("label_smoothing_factor", 0), ("label_smoothing_factor",),
        "is never read: FlagEmbedding computes its own loss", "remove it",
        {"label_smoothing_factor": 0.1}, {}, proof="silent",
    ),
))  # fmt: skip
