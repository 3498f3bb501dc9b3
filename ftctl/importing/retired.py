"""alpaca-lora's and Collie's arguments, both retired, as LoRA jobs of LLaMA-Factory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ftctl.errors import JobError
from ftctl.importing import serving
from ftctl.importing.draft import Draft, names
from ftctl.importing.flags import nested, parse
from ftctl.importing.places import folder, seen
from ftctl.importing.shell_words import Command
from ftctl.importing.source import Around, Source

# The arguments that belong to the tool alone, and why they end with it.
_ENDS = {
    "add_eos_token": "LLaMA-Factory ends every answer with the end token",
    "cp_files": "the merged folder gets its tokenizer from the base model",
    "dp_size": "resources.gpus says on how many GPUs",
    "filter_nums": "it left out rows of more tokens; LLaMA-Factory cuts at max_length",
    "group_by_length": "transformers 5 calls it train_sampling_strategy",
    "merge_path": "ftctl merges the adapter before it serves",
    "model_name": "it named a log file",
    "nccl_port": "ftctl starts the processes itself",
    "output_dir": "a run has a folder of its own, and its result lies there",
    "pp_size": "LLaMA-Factory has no pipeline parallel; the GPUs share the batch",
    "prompt_template_name": "see model.template",
    "resume_from_checkpoint": "ftctl resume takes up the run's own checkpoints",
    "show_prompt": "LLaMA-Factory prints the first row by itself",
    "target_path": "a run has a folder of its own, and its result lies there",
    "tp_size": "LLaMA-Factory has no tensor parallel; the GPUs share the batch",
    "wandb_project": "set train.report_to: wandb, and train.tracking.project",
    "wandb_run_name": "a run is named after its id",
    "wandb_watch": "set WANDB_WATCH where ftctl runs",
    "wandb_log_model": "set WANDB_LOG_MODEL where ftctl runs",
}
_ALPACA = {
    "data_path", "base_model", "micro_batch_size", "num_epochs", "val_set_size", "lora_r",
    "lora_target_modules", "train_on_inputs", "prompt_template_name", "cutoff_len",
}  # fmt: skip
_COLLIE = {"dp_size", "tp_size", "pp_size"}
_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "alpaca-lora": {
        "batch_size": 128, "micro_batch_size": 4, "num_epochs": 3, "learning_rate": 3e-4, "cutoff_len": 256,
        "val_set_size": 2000, "lora_r": 8, "lora_alpha": 16, "lora_dropout": 0.05,
        "lora_target_modules": "q_proj,v_proj", "train_on_inputs": True,
    },
    "lazyllm-alpaca-lora": {
        "batch_size": 64, "micro_batch_size": 4, "num_epochs": 2, "learning_rate": 5e-4, "cutoff_len": 1030,
        "val_set_size": 200, "lora_r": 8, "lora_alpha": 32, "lora_dropout": 0.05,
        "lora_target_modules": "wo,wqkv", "modules_to_save": "tok_embeddings,output",
        "train_on_inputs": True,
    },
    "collie": {
        "batch_size": 64, "micro_batch_size": 4, "num_epochs": 3, "learning_rate": 5e-4, "lora_r": 8,
        "lora_alpha": 16, "lora_dropout": 0.05, "lora_target_modules": "wo,wqkv",
        "modules_to_save": "tok_embeddings,output",
    },
}  # fmt: skip
_FIELDS = {
    "learning_rate": "train.learning_rate", "num_epochs": "train.epochs", "batch_size": "train.batch_size",
    "micro_batch_size": "train.micro_batch_size", "cutoff_len": "train.max_length",
    "lora_r": "train.lora.rank", "lora_alpha": "train.lora.alpha", "lora_dropout": "train.lora.dropout",
}  # fmt: skip


class Retired:
    """The entry of one of the two tools in the table of origins."""

    def __init__(self, name: str, title: str) -> None:
        self.NAME, self.title = name, title
        self.SAYS = f"the arguments of {title} (YAML, JSON, or its finetune.py with arguments)"

    def looks(self, source: Source) -> bool:
        """Whether the mapping has the tool's own names."""
        keys = set(_given(source))
        collie = bool(_COLLIE & keys)
        return len(_ALPACA & keys) > 1 and "base_model" in keys and collie == (self.NAME == "collie")

    def convert(self, source: Source, around: Around, schema: Mapping[str, Any]) -> Draft:
        """The draft of the job. Raises JobError where no model is named."""
        if source.problems:
            raise JobError(source.problems)
        draft = Draft(f"the arguments of {self.title}", schema)
        found = None if source.root is not None else next(_commands(source), None)
        if found is None:
            write(draft, source, _given(source), around, self.NAME)
            return draft
        command, place = found
        launched = parse(command.words[:place]).named.get("nproc_per_node", "")
        if around.gpus is None and str(launched).isdigit():
            around = replace(around, gpus=int(launched))
        write(draft, source, _given(source), around, self.NAME)
        serving.environment(draft, command, "resources.gpus")
        serving.others(draft, source, command)
        return draft


def _given(source: Source) -> dict[str, Any]:
    """The arguments, from the mapping or from the first command that runs the tool's finetune.py."""
    if source.root is not None:
        return dict(source.document)
    return next((nested(parse(command.words[place:]).named) for command, place in _commands(source)), {})


def _commands(source: Source) -> Iterator[tuple[Command, int]]:
    """The commands that run a finetune.py, and where their arguments start."""
    for command in source.commands:
        for place, word in enumerate(command.words):
            if word.rpartition("/")[2] == "finetune.py":
                yield command, place + 1


ALPACA = Retired("alpaca-lora", "alpaca-lora")
COLLIE = Retired("collie", "Collie")


def write(draft: Draft, source: Source, given: dict[str, Any], around: Around, tool: str) -> None:
    """Write the job of a tool's arguments; what they leave out is the tool's own default."""
    if not given.get("base_model"):
        raise JobError([source.refuse("base_model", "is missing, and a job has a model", "add it")])
    rest = {name: value for name, value in given.items() if value not in (None, "")}
    if empty := [name for name, value in given.items() if value in (None, "")]:
        draft.drop(", ".join(empty), None, "empty in the original")
    draft.set("name", around.stem)
    draft.set("model.path", folder(str(rest.pop("base_model")), around), "base_model")
    if rest.get("prompt_template_name", "alpaca") == "alpaca":
        draft.set("model.template", "alpaca", "prompt_template_name")
        draft.check(
            "model.template: alpaca's own prompt; a chat model is better trained with its own template"
        )
    defaults = _DEFAULTS[tool]
    _data(draft, rest, around, defaults.get("val_set_size", 0))
    for name, value in (("task", "sft"), ("engine", "llamafactory"), ("method", "lora")):
        draft.set(f"train.{name}", value)
    for argument, key in _FIELDS.items():
        chosen = rest.get(argument, defaults.get(argument))
        origin = argument if argument in rest else f"{argument}: the tool's default"
        if chosen is not None and draft.put(key, chosen, origin):
            rest.pop(argument, None)
    _targets(draft, rest, defaults)
    _fixed(draft, rest, tool)
    gpus = _gpus(rest, around)
    if gpus is not None:
        draft.set(
            "resources.gpus",
            gpus,
            "dp_size × tp_size × pp_size" if _COLLIE & set(rest) else "GPUs of the original",
        )
    for argument, value in rest.items():
        if argument in _ENDS:
            draft.drop(argument, value, _ENDS[argument])
        else:
            draft.native("train", argument, value)
            draft.check(f"train.native.{argument}: {tool} took it; see whether LLaMA-Factory does")


def _data(draft: Draft, rest: dict[str, Any], around: Around, held_out: int) -> None:
    rows = rest.pop("data_path", None)
    if rows is None:
        draft.check("data.train: the original names no data_path; a job that trains needs its rows")
    else:
        draft.set("data.train", seen(str(rows), around), "data_path")
    count = rest.pop("val_set_size", held_out)
    if isinstance(count, int | float) and count > 0 and draft.put("data.eval", count, "val_set_size"):
        draft.set("train.eval_every", "epoch")
        draft.check(f"data.eval: {count} rows are held out; write fewer where the file is small")


def _targets(draft: Draft, rest: dict[str, Any], defaults: Mapping[str, Any]) -> None:
    chosen = names(rest.pop("lora_target_modules", defaults["lora_target_modules"]))
    draft.set("train.lora.targets", chosen, "lora_target_modules")
    draft.check("train.lora.targets: these are modules of one family of models; leave it out for every layer")
    saved = rest.pop("modules_to_save", defaults.get("modules_to_save"))
    if saved:
        draft.native("train", "additional_target", ",".join(names(saved)))
        draft.drop(
            "modules_to_save",
            saved,
            "LLaMA-Factory calls it additional_target; it must name modules that the model has",
        )
    if "train_on_inputs" in rest or "train_on_inputs" in defaults:
        draft.native("train", "train_on_prompt", bool(rest.pop("train_on_inputs", True)))
        draft.drop("train_on_inputs", None, "LLaMA-Factory calls it train_on_prompt")
    if rest.get("group_by_length") is True:
        draft.native("train", "train_sampling_strategy", "group_by_length")


def _fixed(draft: Draft, rest: dict[str, Any], tool: str) -> None:
    """What the tool set in its own code."""
    if tool != "collie":
        draft.set("train.precision", "fp16", "alpaca-lora always trains in fp16")
        draft.set("train.warmup", 100, "alpaca-lora always warms up over 100 steps")
    if tool == "alpaca-lora":
        draft.set("train.scheduler", "linear", "transformers' default")
        draft.set("train.quantization", 8, "alpaca-lora always loads the base model in 8 bits")
        draft.check(
            "train.quantization: needs bitsandbytes and a GPU; leave it out where memory is not short"
        )
    if "deepspeed" in rest:
        draft.drop(
            "deepspeed", rest.pop("deepspeed"), "it was the tool's own file; name one of yours in native"
        )


def _gpus(rest: Mapping[str, Any], around: Around) -> int | None:
    sizes = [rest[name] for name in sorted(_COLLIE) if isinstance(rest.get(name), int)]
    whole = 1
    for size in sizes:
        whole *= size
    return whole if sizes else around.gpus
