"""A LLaMA-Factory training config as a job: fields where the job has one, `train.native` for the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ftctl.importing.draft import Draft, names
from ftctl.importing.llamafactory_data import data
from ftctl.importing.llamafactory_names import defaults
from ftctl.importing.llamafactory_saving import evaluation, saving
from ftctl.importing.places import model, seen
from ftctl.importing.source import Around

TASKS = {"sft": "sft", "pt": "pretrain", "rm": "reward", "dpo": "dpo", "kto": "kto", "ppo": "ppo"}

# One argument, one key; what the schema does not take goes to native.
FIELDS: Mapping[str, str] = {
    "learning_rate": "train.learning_rate",
    "num_train_epochs": "train.epochs",
    "cutoff_len": "train.max_length",
    "lr_scheduler_type": "train.scheduler",
    "weight_decay": "train.weight_decay",
    "max_grad_norm": "train.max_grad_norm",
    "optim": "train.optimizer",
    "seed": "train.seed",
    "flash_attn": "train.attention",
    "logging_steps": "train.log_every",
}
LORA = {
    "lora_rank": "rank",
    "lora_alpha": "alpha",
    "lora_dropout": "dropout",
    "lora_target": "targets",
    "use_rslora": "rslora",
    "use_dora": "dora",
}
FREEZE = {
    "freeze_trainable_layers": "layers",
    "freeze_trainable_modules": "modules",
    "freeze_extra_modules": "extra",
}
QUANTIZATION = {
    "quantization_bit": "bits",
    "quantization_method": "method",
    "quantization_type": "type",
    "double_quantization": "double",
}
# Where the job's default is another than the engine's, the engine's is written.
OTHER_DEFAULTS = ("learning_rate", "lr_scheduler_type", "optim")

# Files that an argument names; the engine looks for them from the run's folder.
PATHS = frozenset((
    "fsdp_config", "adapter_name_or_path", "ref_model_adapters", "reward_model_adapters",
    "media_dir", "tokenized_path", "new_special_tokens_config", "kt_weight_path",
    "kt_expert_checkpoint_path", "hyper_parallel_args", "offload_folder", "cache_dir", "accelerator_config",
))  # fmt: skip
_OWN = {
    "output_dir": "a run has a folder of its own, and its result lies there",
    "overwrite_output_dir": "a run's folder is new, so nothing is overwritten",
    "do_train": "a job with a train block trains",
    "do_eval": "rows in data.eval are evaluated",
    "do_predict": "ftctl serves the result and judges it there; nothing is predicted while it trains",
    "resume_from_checkpoint": "ftctl resume takes up the run's own checkpoints",
    "export_dir": "ftctl merges an adapter by itself",
}
Rest = dict[str, Any]


def train(draft: Draft, document: Mapping[str, Any], around: Around) -> Draft:
    """The job of a training config."""
    rest: Rest = {key: value for key, value in document.items() if value is not None}
    unset = [key for key, value in document.items() if value is None]
    if unset:
        draft.drop(", ".join(unset), None, "null in the original, which leaves the engine's default")
    model(draft, rest, around)
    _task(draft, rest)
    data(draft, rest, around)
    for part in (_fields, _length, _method, _batch, _precision, _switches, saving, evaluation):
        part(draft, rest, around)
    _owned(draft, rest)
    if isinstance(file := rest.get("deepspeed"), str) and not file.startswith("{"):
        rest["deepspeed"] = seen(file, around)
    for argument, value in rest.items():
        draft.native("train", argument, value)
    _said(draft, rest)
    return draft


def _task(draft: Draft, rest: Rest) -> None:
    stage = rest.pop("stage", "sft")
    task = TASKS.get(stage, stage)
    draft.set("train.task", task, "stage" if task == stage else f"stage: {stage}")
    draft.set("train.engine", "llamafactory")
    draft.set("train.method", rest.pop("finetuning_type", "lora"), "finetuning_type")
    for key, known in (("train.task", TASKS.values()), ("train.method", ("lora", "full", "freeze", "oft"))):
        if draft.get(key) not in known:
            draft.check(f"{key}: {draft.get(key)} is none that LLaMA-Factory 0.9.5 has")


def _fields(draft: Draft, rest: Rest, around: Around) -> None:
    for argument, key in FIELDS.items():
        if argument in rest and draft.put(key, rest[argument], argument):
            del rest[argument]
        elif argument in OTHER_DEFAULTS and argument not in rest:
            draft.set(key, defaults()[argument], f"{argument}: LLaMA-Factory's default")


def _length(draft: Draft, rest: Rest, around: Around) -> None:
    """How long it trains, and over what the rate rises; transformers 5.6 lets a ratio win over steps."""
    steps = rest.get("max_steps")
    if steps == -1:
        draft.drop("max_steps", rest.pop("max_steps"), "it is no limit")
    elif steps is not None and draft.put("train.max_steps", steps, "max_steps"):
        del rest["max_steps"]
    if "warmup_ratio" in rest:
        if "warmup_steps" in rest:
            draft.drop("warmup_steps", rest.pop("warmup_steps"), "the engine lets warmup_ratio win over it")
        if draft.put("train.warmup", rest["warmup_ratio"], "warmup_ratio"):
            del rest["warmup_ratio"]
    elif "warmup_steps" in rest and draft.put("train.warmup", rest["warmup_steps"], "warmup_steps"):
        del rest["warmup_steps"]


def _method(draft: Draft, rest: Rest, around: Around) -> None:
    method = draft.get("train.method")
    if method == "lora":
        _block(draft, rest, "train.lora", LORA)
    if method == "freeze":
        _block(draft, rest, "train.freeze", FREEZE)
    if "quantization_bit" in rest and method in ("lora", "oft"):
        kept = {**draft.job["train"]}
        taken = {argument: rest[argument] for argument in QUANTIZATION if argument in rest}
        # The long form is all of it or nothing: an argument in native beside it would be a conflict.
        if all(
            draft.put(f"train.quantization.{QUANTIZATION[argument]}", value, argument)
            for argument, value in taken.items()
        ):
            for argument in taken:
                del rest[argument]
        else:
            draft.job["train"] = {key: value for key, value in kept.items() if key != "quantization"}


def _block(draft: Draft, rest: Rest, block: str, fields: Mapping[str, str]) -> None:
    for argument, key in fields.items():
        if argument not in rest:
            continue
        value = rest[argument]
        if key in ("targets", "modules", "extra"):
            value = names(value)
            if value == ["all"] and key != "extra":
                value = []  # every one of them, as the engine's own word for it
            value = list(dict.fromkeys(value))
        if draft.put(f"{block}.{key}", value, f"{argument}: {'all' if value == [] else ''}".rstrip(": ")):
            del rest[argument]


def _batch(draft: Draft, rest: Rest, around: Around) -> None:
    """The global batch: the original says it for one device."""
    micro = rest.get("per_device_train_batch_size", defaults()["per_device_train_batch_size"])
    steps = rest.get("gradient_accumulation_steps", 1)
    if not all(isinstance(number, int) and number > 0 for number in (micro, steps)):
        return
    gpus = 0 if rest.get("use_cpu") is True else around.gpus
    whole = micro * steps * (gpus or 1)
    if not (draft.takes("train.micro_batch_size", micro) and draft.takes("train.batch_size", whole)):
        return
    draft.set("train.micro_batch_size", micro, "per_device_train_batch_size")
    over = f"{gpus} GPUs" if gpus and gpus > 1 else "1 device"
    draft.set("train.batch_size", whole, f"{micro} × gradient_accumulation_steps {steps} × {over}")
    for argument in ("per_device_train_batch_size", "gradient_accumulation_steps"):
        rest.pop(argument, None)
    if gpus is None:
        draft.check(
            f"train.batch_size is over all devices, and {whole} is the original on one: "
            f"import with --gpus N, or multiply it, if the original ran on N"
        )
    else:
        draft.set("resources.gpus", gpus, "use_cpu" if gpus == 0 else "GPUs of the original")


def _precision(draft: Draft, rest: Rest, around: Around) -> None:
    bf16, fp16 = rest.get("bf16", False), rest.get("fp16", False)
    plain = isinstance(bf16, bool) and isinstance(fp16, bool)
    unusual = rest.get("pure_bf16") or (bf16 and fp16) or not plain
    if unusual:
        # All of it in native, said whole: beside train.precision it would be a conflict.
        rest.setdefault("bf16", False)
        rest.setdefault("fp16", False)
        return
    said = [argument for argument in ("bf16", "fp16", "pure_bf16") if argument in rest]
    origin = ", ".join(said) or "neither bf16 nor fp16"
    draft.set("train.precision", "bf16" if bf16 else "fp16" if fp16 else "fp32", origin)
    for argument in ("bf16", "fp16", "pure_bf16"):
        rest.pop(argument, None)


def _switches(draft: Draft, rest: Rest, around: Around) -> None:
    """Packing, kernels and gradient checkpointing."""
    plain, neat = rest.get("packing", False), rest.get("neat_packing", False)
    if isinstance(plain, bool) and isinstance(neat, bool):
        said = [argument for argument in rest if argument in ("packing", "neat_packing")]
        if said:
            kind = "neat" if neat else "plain" if plain else False
            draft.set("train.packing", kind, ", ".join(said))
        for argument in said:
            del rest[argument]
    kernels = {"enable_liger_kernel": "liger", "use_unsloth": "unsloth"}
    if all(isinstance(rest.get(argument, False), bool) for argument in kernels):
        said = [argument for argument in kernels if argument in rest]
        chosen = [kernels[argument] for argument in said if rest.pop(argument)]
        if said:
            draft.set("train.kernels", chosen, ", ".join(said))
    if "gradient_checkpointing" in rest:
        rest.setdefault("disable_gradient_checkpointing", False)
    elif isinstance(rest.get("disable_gradient_checkpointing", False), bool):
        written = "disable_gradient_checkpointing" in rest
        off = rest.pop("disable_gradient_checkpointing", False)
        origin = f"disable_gradient_checkpointing{'' if written else ': the default is on'}"
        draft.set("train.gradient_checkpointing", not off, origin)


def _owned(draft: Draft, rest: Rest) -> None:
    for argument, why in _OWN.items():
        if argument in rest:
            draft.drop(argument, rest.pop(argument), why)
    if rest.pop("use_cpu", None) is not None and draft.get("resources.gpus") is None:
        draft.drop("use_cpu", False, "ftctl sets it from resources.gpus")


def _said(draft: Draft, rest: Rest) -> None:
    """What a person has to look at."""
    for argument, value in rest.items():
        if argument in PATHS and isinstance(value, str) and not value.startswith(("/", "~")):
            draft.check(
                f"train.native.{argument}: a relative path starts at the run's folder; write an absolute one"
            )
    notes: Mapping[str, Callable[[Any], str]] = {
        "deepspeed": lambda _: "DeepSpeed needs its package in the engine's environment",
        "ray_num_workers": lambda n: (
            f"ray_num_workers: {n} is Ray's, and resources.launcher: ray comes later"
        ),
        "max_samples": lambda n: f"max_samples: {n} cuts every data file, as it did in the original",
        "tokenized_path": lambda _: (
            "tokenized_path: rows that are already there win over data and max_length"
        ),
    }
    for argument, note in notes.items():
        if argument in rest:
            draft.check(note(rest[argument]))
