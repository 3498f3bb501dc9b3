"""FlagEmbedding's training commands (arguments as of 1.4.2) as embedding and reranker jobs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ftctl.errors import JobError
from ftctl.importing import serving
from ftctl.importing.draft import Draft, names
from ftctl.importing.flags import parse, value_of
from ftctl.importing.places import model, seen
from ftctl.importing.shell_words import Command
from ftctl.importing.source import Around, Source

NAME = "flagembedding"
SAYS = "a FlagEmbedding training command (torchrun … -m FlagEmbedding.finetune.…)"

ENTRY = "FlagEmbedding.finetune."
FIELDS = {
    "learning_rate": "train.learning_rate", "num_train_epochs": "train.epochs",
    "lr_scheduler_type": "train.scheduler", "weight_decay": "train.weight_decay",
    "max_grad_norm": "train.max_grad_norm", "optim": "train.optimizer", "seed": "train.seed",
    "logging_steps": "train.log_every", "gradient_checkpointing": "train.gradient_checkpointing",
    "save_total_limit": "train.checkpoints.keep", "save_steps": "train.checkpoints.every",
    "train_group_size": "train.train_group_size", "query_max_len": "train.query_max_length",
    "passage_max_len": "train.passage_max_length", "temperature": "train.temperature",
    "sentence_pooling_method": "train.pooling", "normalize_embeddings": "train.normalize",
    "query_instruction_for_retrieval": "train.query_instruction",
    "query_instruction_for_rerank": "train.query_instruction",
    "negatives_cross_device": "train.negatives_across_devices",
    "knowledge_distillation": "train.distillation",
}  # fmt: skip
LORA = {"lora_rank": "rank", "lora_alpha": "alpha", "lora_dropout": "dropout", "target_modules": "targets"}
_OWN = {
    "output_dir": "a run has a folder of its own, and its result lies there",
    "overwrite_output_dir": "a run's folder is new; transformers 5 no longer has it",
    "do_train": "a job with a train block trains",
    "logging_dir": "transformers 5 no longer has it",
    "resume_from_checkpoint": "ftctl resume takes up the run's own checkpoints",
}
# How many processes torchrun, accelerate and deepspeed start on a machine, and on how many machines.
_COUNTS = ("nproc_per_node", "num_processes", "num_gpus")
_NODES = ("nnodes", "num_machines", "num_nodes")
_NEVER_READ = ("max_len", "peft_model_path", "use_slow_tokenizer")


def looks(source: Source) -> bool:
    """Whether one of the file's commands trains with FlagEmbedding."""
    return any(_entry(command) for command in source.commands)


def convert(source: Source, around: Around, schema: Mapping[str, Any]) -> Draft:
    """The draft of the job."""
    found = [command for command in source.commands if _entry(command)]
    if len(found) != 1:
        lines = ", ".join(str(command.line) for command in found)
        message = f"{len(found)} FlagEmbedding commands stand in it (lines {lines})"
        raise JobError([source.refuse("", message, "leave one in the file: a job trains one model")])
    command = found[0]
    entry = _entry(command) or ""
    words = command.words[_index(command) + 1 :]
    rest = {name: value_of(text) for name, text in parse(words, many=True).named.items()}
    draft = Draft("a FlagEmbedding command line", schema)
    launched = parse(command.words[: _index(command) - 1]).named
    count = next((name for name in _COUNTS if _count(launched.get(name))), "")
    many = next((name for name in _NODES if _count(launched.get(name))), "")
    started, nodes = _count(launched.get(count)), _count(launched.get(many)) or 1
    if started and count == "num_processes":
        started = max(1, started // nodes)  # accelerate counts those of every machine
    of(draft, source, entry, rest, around, started, command)
    if nodes > 1:
        draft.set("resources.nodes", nodes, many)
    for name, value in launched.items():
        if name not in (count, many, "nnodes"):
            draft.drop(name, value, "ftctl starts the processes itself")
    serving.environment(draft, command, "resources.gpus")
    serving.others(draft, source, command)
    return draft


def of(
    draft: Draft,
    source: Source,
    entry: str,
    rest: dict[str, Any],
    around: Around,
    processes: int | None,
    command: Command | None = None,
) -> None:
    """Write the job of an entry module's arguments. `processes`: how many torchrun starts, None: not said."""
    if not rest.get("model_name_or_path"):
        raise JobError([source.refuse("", "the command names no model", "add --model_name_or_path")])
    model(draft, rest, around)
    rows = rest.pop("train_data", None)
    if rows is None:
        draft.check("data.train: the original names no train_data; a job that trains needs its rows")
    else:
        paths = [seen(path, around) for path in (names(rows) if isinstance(rows, list) else [str(rows)])]
        draft.set("data.train", paths[0] if len(paths) == 1 else paths, "train_data")
    draft.set("train.task", "reranker" if ".reranker." in entry else "embedding", entry)
    draft.set("train.engine", "flagembedding")
    if not draft.put("train.variant", "-".join(entry.split(".")[3:]).replace("_", "-"), entry):
        draft.drop("-m", entry, "the engine's module follows from train.task and the model")
    if isinstance(file := rest.get("deepspeed"), str):
        rest["deepspeed"] = seen(file, around)
    lora = rest.pop("use_lora", False) is True
    draft.set("train.method", "lora" if lora else "full", "use_lora")
    for argument, key in FIELDS.items():
        if argument in rest and draft.put(key, rest[argument], argument):
            del rest[argument]
    if lora:
        _lora(draft, rest)
    _batch(draft, rest, processes if processes is not None else around.gpus)
    _rest(draft, rest)


def _lora(draft: Draft, rest: dict[str, Any]) -> None:
    for argument, key in LORA.items():
        value = rest.get(argument)
        if argument in rest and draft.put(
            f"train.lora.{key}", names(value) if key == "targets" else value, argument
        ):
            del rest[argument]


def _batch(draft: Draft, rest: dict[str, Any], processes: int | None) -> None:
    micro = rest.get("per_device_train_batch_size", 8)
    steps = rest.get("gradient_accumulation_steps", 1)
    if isinstance(micro, int) and isinstance(steps, int) and micro > 0 and steps > 0:
        draft.set("train.micro_batch_size", micro, "per_device_train_batch_size")
        whole = micro * steps * (processes or 1)
        over = f"{processes or 1} process{'' if (processes or 1) == 1 else 'es'}"
        draft.set("train.batch_size", whole, f"{micro} × gradient_accumulation_steps {steps} × {over}")
        rest.pop("per_device_train_batch_size", None)
        rest.pop("gradient_accumulation_steps", None)
    if processes is not None:
        on_cpu = rest.pop("use_cpu", False) is True
        draft.set("resources.gpus", 0 if on_cpu else processes, "one process for each")
        if on_cpu:
            draft.set("resources.processes", processes, "nproc_per_node")
    else:
        draft.check("train.batch_size is over all devices: import with --gpus N if the original ran on N")


def _rest(draft: Draft, rest: dict[str, Any]) -> None:
    for name in ("warmup_ratio", "warmup_steps"):
        if name in rest and draft.put("train.warmup", rest[name], name):
            del rest[name]
            break
    bf16, fp16 = rest.pop("bf16", False), rest.pop("fp16", False)
    draft.set(
        "train.precision",
        "bf16" if bf16 else "fp16" if fp16 else "fp32",
        "bf16" if bf16 else "fp16" if fp16 else "neither bf16 nor fp16",
    )
    for argument, value in rest.items():
        if argument in _OWN:
            draft.drop(argument, value, _OWN[argument])
        elif argument in _NEVER_READ:
            draft.drop(argument, value, "FlagEmbedding 1.4.2 takes it and never reads it")
        else:
            draft.native("train", argument, value)


def _index(command: Command) -> int:
    """Where the entry module stands among the words."""
    return next(index for index, word in enumerate(command.words) if word.startswith(ENTRY))


def _entry(command: Command) -> str | None:
    return next((word for word in command.words if word.startswith(ENTRY)), None)


def _count(value: Any) -> int | None:
    return int(value) if isinstance(value, str) and value.isdigit() else None
