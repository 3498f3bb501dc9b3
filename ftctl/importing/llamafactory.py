"""LLaMA-Factory's YAML, JSON and command lines: which kind of config it is, and what its engine refuses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ftctl.errors import JobError, Problem
from ftctl.importing import llamafactory_serve, llamafactory_train, serving
from ftctl.importing.draft import Draft
from ftctl.importing.flags import nested, parse
from ftctl.importing.llamafactory_names import MEGATRON, RENAMED, arguments
from ftctl.importing.llamafactory_train import FIELDS, FREEZE, QUANTIZATION
from ftctl.importing.shell_words import Command
from ftctl.importing.source import Around, Source
from ftctl.job.node import Node
from ftctl.job.suggest import nearest

NAME = "llamafactory"
SAYS = "LLaMA-Factory's training, export or inference config (YAML, JSON, or llamafactory-cli with arguments)"

# OmegaConf, by which the engine reads its configs, follows YAML 1.1 here.
_YAML_1_1 = {"yes": True, "no": False, "on": True, "off": False, "y": "y", "n": "n"}
# Arguments that take one value each; the engine dies on a list or a mapping there.
_ONE = frozenset((
    *FIELDS, *FREEZE, *QUANTIZATION, "model_name_or_path", "template", "model_revision", "stage",
    "finetuning_type", "save_strategy", "eval_strategy", "save_steps", "eval_steps", "save_total_limit",
    "bf16", "fp16", "pure_bf16", "packing", "neat_packing", "val_size", "mix_strategy", "max_steps",
    "warmup_ratio", "warmup_steps", "per_device_train_batch_size", "gradient_accumulation_steps", "use_cpu",
    "infer_dtype", "infer_backend", "export_dir", "do_train", "do_eval", "do_predict", "task",
)) - {"freeze_trainable_modules", "freeze_extra_modules"}  # fmt: skip
_SURE = frozenset(("model_name_or_path", "finetuning_type", "per_device_train_batch_size", "export_dir"))


def looks(source: Source) -> bool:
    """Whether the file is of this kind."""
    if source.root is not None and len(_SURE & set(source.document)) > 0:
        return True
    return any(_arguments_of(command) is not None for command in source.commands)


def convert(source: Source, around: Around, schema: Mapping[str, Any]) -> Draft:
    """The draft of the job. Raises JobError for a file that the engine refuses, with every reason."""
    given = document(source)
    command = None if source.root is not None else _command(source)
    if problems := [*source.problems, *_refused(source, given)]:
        raise JobError(problems)
    convert_as, title = kind_of(given)
    draft = Draft(f"{title} of LLaMA-Factory", schema)
    if command is None:
        return convert_as(draft, given, around)
    devices = len(command.env.get("CUDA_VISIBLE_DEVICES", "").split(","))
    launched = parse(command.words).named.get("nproc_per_node", "")
    if around.gpus is None and str(launched).isdigit():
        around = replace(around, gpus=int(launched))
    elif around.gpus is None and "CUDA_VISIBLE_DEVICES" in command.env:
        around = replace(around, gpus=devices)
    convert_as(draft, given, around)
    serving.environment(draft, command, "resources.gpus" if "train" in draft.job else "deploy.gpus")
    serving.others(draft, source, command)
    return draft


Convert = Callable[[Draft, dict[str, Any], Around], Draft]


def kind_of(given: Mapping[str, Any]) -> tuple[Convert, str]:
    """What converts the config, and what it is called."""
    if given.get("export_dir") is not None and not given.get("do_train"):
        return llamafactory_serve.export, "an export config"
    if given.get("task") is not None and "stage" not in given:
        return llamafactory_serve.judge, "an evaluation config"
    judged = given.get("do_predict") or given.get("do_eval")
    if judged and not given.get("do_train"):
        return llamafactory_serve.judge, "a prediction config"
    if not {"do_train", "output_dir", "dataset"} & set(given):
        return llamafactory_serve.infer, "an inference config"
    return llamafactory_train.train, "a training config"


def document(source: Source) -> dict[str, Any]:
    """The arguments as the engine would read them, from the mapping or from the first of the commands."""
    if source.root is not None and isinstance(source.root.value, dict):
        return {key: _value(node) for key, node in source.root.value.items()}
    command = _command(source)
    return {} if command is None else _arguments_of(command) or {}


def _command(source: Source) -> Command | None:
    return next((command for command in source.commands if _arguments_of(command) is not None), None)


def _value(node: Node) -> Any:
    if isinstance(node.value, dict):
        return {key: _value(child) for key, child in node.value.items()}
    if isinstance(node.value, list):
        return [_value(child) for child in node.value]
    if node.plain and isinstance(node.value, str):
        return _YAML_1_1.get(node.value.lower(), node.value)
    return node.value


def _arguments_of(command: Command) -> dict[str, Any] | None:
    """The arguments of a llamafactory-cli command; None for another command, or one that names a file."""
    words = list(command.words)
    starts = [i for i, word in enumerate(words) if word.endswith("llamafactory-cli") or word == "lmf"]
    scripts = [i for i, word in enumerate(words) if word.endswith(("src/train.py", "src/train_bash.py"))]
    start = starts[0] + 2 if starts else scripts[0] + 1 if scripts else None
    if start is None or not words[start:] or words[start].endswith((".yaml", ".yml", ".json")):
        return None
    return nested(parse(words[start:]).named)


def _refused(source: Source, given: Mapping[str, Any]) -> list[Problem]:
    """What the engine's parser would not take, each key with its place."""
    found = []
    for key, value in given.items():
        if key in arguments():
            if key in _ONE and isinstance(value, dict | list):
                message = f"is a {'list' if isinstance(value, list) else 'mapping'}, one value is wanted"
                found.append(source.refuse(key, message, "correct it"))
            continue
        if key in MEGATRON:
            message = "is Megatron's, for a LLaMA-Factory run with USE_MCA=1, which ftctl does not start"
            found.append(source.refuse(key, message, "import the config without its mcore keys"))
            continue
        remedy = "remove it, or correct it"
        if key in RENAMED:
            new = RENAMED[key]
            remedy = f"it is called {new} now" if new else "remove it: the engine no longer has it"
        elif near := nearest(key, arguments(), 0.75):
            remedy = f"did you mean {near}?"
        found.append(
            source.refuse(key, "is not an argument of LLaMA-Factory 0.9.5, which refuses it", remedy)
        )
    command = _command(source)
    if command is not None and command.env.get("USE_MCA", "0") not in ("0", "false", ""):
        found.append(source.refuse("", "USE_MCA starts Megatron, which ftctl does not", "leave it out"))
    if given.get("use_mca"):
        found.append(source.refuse("use_mca", "needs USE_MCA=1, which ftctl does not set", "remove it"))
    if not given.get("model_name_or_path"):
        found.append(source.refuse("model_name_or_path", "is missing, and a job has a model", "add it"))
    return found
