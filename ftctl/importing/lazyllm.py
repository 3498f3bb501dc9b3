"""LazyLLM's `finetune_method` dictionaries: a method's name and what it is called with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ftctl.errors import JobError
from ftctl.importing import flagembedding, retired
from ftctl.importing.draft import Draft, names
from ftctl.importing.llamafactory_names import arguments
from ftctl.importing.llamafactory_train import train
from ftctl.importing.places import seen
from ftctl.importing.source import Around, Source

NAME = "lazyllm"
SAYS = "LazyLLM's finetune_method dictionary (YAML or JSON)"

_METHOD = ("finetune_method", "finetune_type", "method", "name", "type")
_KEYWORDS = ("kw", "kwargs", "args", "finetune_args", "training_args", "params")
_RENAMED = {
    "base_model": "model_name_or_path",
    "target_path": "output_dir",
    "lora_r": "lora_rank",
    "modules_to_save": "additional_target",
    "lora_target_modules": "lora_target",
    "gradient_step": "gradient_accumulation_steps",
    "micro_batch_size": "per_device_train_batch_size",
}
_ROWS = ("trainset", "data_path", "dataset", "train_data", "training_dataset")
# LazyLLM's own YAML beneath every LLaMA-Factory training, where it differs from the engine's defaults.
_LLAMAFACTORY: Mapping[str, Any] = {
    "stage": "sft", "finetuning_type": "lora", "lora_rank": 8, "lora_target": "all", "cutoff_len": 1024,
    "per_device_train_batch_size": 1, "gradient_accumulation_steps": 1, "learning_rate": 1e-4,
    "num_train_epochs": 3.0, "lr_scheduler_type": "cosine", "warmup_ratio": 0.1, "val_size": 0.1,
    "eval_strategy": "steps", "eval_steps": 500, "logging_steps": 10, "save_steps": 500, "fp16": True,
    "optim": "adamw_torch", "preprocessing_num_workers": 16,
}  # fmt: skip
_FLAGEMBEDDING: Mapping[str, Any] = {
    "train_group_size": 8, "query_max_len": 512, "passage_max_len": 512, "learning_rate": 1e-5,
    "per_device_train_batch_size": 2, "temperature": 0.02, "sentence_pooling_method": "cls",
    "normalize_embeddings": True, "fp16": True, "negatives_cross_device": True,
}  # fmt: skip
_ENDS = {
    "merge_path": "ftctl merges the adapter before it serves",
    "config_path": "import that file too, and join the two jobs: LazyLLM lays it over its defaults",
    "export_config_path": "ftctl merges the adapter before it serves",
    "cp_files": "the merged folder gets its tokenizer from the base model",
    "model_name": "it named a log file",
    "valset": "write it as data.eval",
    "evalset": "LazyLLM sends these to the server; write it as evaluate.data",
}


def looks(source: Source) -> bool:
    """Whether the mapping names a method of LazyLLM."""
    keys = set(source.document)
    return "finetune_method" in keys or "finetune_type" in keys


def convert(source: Source, around: Around, schema: Mapping[str, Any]) -> Draft:
    """The draft of the job. Raises JobError for a method that trains by an engine ftctl does not have."""
    if source.problems:
        raise JobError(source.problems)
    method, rest = _called(source)
    draft = Draft(f"LazyLLM's finetune_method {method}", schema)
    gpus = _launcher(draft, rest)
    around = around if gpus is None else replace(around, gpus=gpus)
    deploy = rest.pop("deploy_method", None)
    for argument in [name for name in rest if name in _ENDS]:
        draft.drop(argument, rest.pop(argument), _ENDS[argument])
    if method in ("llamafactory", "auto"):
        _llamafactory(draft, source, rest, around)
    elif method in ("alpacalora", "collie"):
        _retired(draft, source, rest, around, method)
    elif method in ("flagembedding", "embedding", "reranker"):
        _flagembedding(draft, source, rest, around)
    else:
        known = "llamafactory, flagembedding, alpacalora, collie and auto"
        raise JobError([source.refuse("finetune_method", f"{method} cannot be imported", f"{known} can")])
    _deploy(draft, deploy)
    return draft


def _called(source: Source) -> tuple[str, dict[str, Any]]:
    """The method's name, and everything that it is called with, from any of the forms it is written in."""
    rest = dict(source.document)
    given = rest.pop("finetune_method", None) or rest.pop("finetune_type", None)
    if isinstance(given, list) and given:
        rest |= {key: value for part in given[1:] if isinstance(part, Mapping) for key, value in part.items()}
        given = given[0]
    if isinstance(given, Mapping):
        inner = dict(given)
        named = next((inner.pop(key) for key in _METHOD if isinstance(inner.get(key), str)), None)
        if named is None and len(inner) == 1:
            named, inner = next(iter(inner.items()))
        rest |= dict(inner) if isinstance(inner, Mapping) else {}
        given = named
    for key in _KEYWORDS:
        if isinstance(rest.get(key), Mapping):
            rest |= rest.pop(key)
    if not isinstance(given, str):
        message = "names no method"
        raise JobError([source.refuse("finetune_method", message, "write for example llamafactory")])
    return given.rsplit(".", 1)[-1].lower().replace("_", "").replace("-", ""), rest


def _launcher(draft: Draft, rest: dict[str, Any]) -> int | None:
    """The GPUs that the launcher asks for."""
    given = rest.pop("launcher", None)
    asked = dict(given) if isinstance(given, Mapping) else {}
    asked |= {key: rest.pop(key) for key in ("ngpus", "nnode") if key in rest}
    if given is not None:
        draft.drop("launcher", given, "resources says where and on what a job runs")
    gpus = asked.get("ngpus")
    return gpus if isinstance(gpus, int) and not isinstance(gpus, bool) and gpus > 0 else None


def _llamafactory(draft: Draft, source: Source, rest: dict[str, Any], around: Around) -> None:
    known: dict[str, Any] = {}
    rows = [seen(row, around) for key in _ROWS if key in rest for row in names(rest.pop(key))]
    for argument, value in rest.items():
        name = _RENAMED.get(argument, argument)
        bracketed = isinstance(value, str) and name in ("additional_target", "lora_target")
        if name in arguments():
            known[name] = ",".join(names(value)) if bracketed else value
        else:
            draft.drop(argument, value, "LLaMA-Factory 0.9.5 has no such argument; LazyLLM drops it unsaid")
    if not known.get("model_name_or_path"):
        raise JobError([source.refuse("base_model", "is missing, and a job has a model", "add it")])
    if "max_samples" not in known:
        why = "LazyLLM cuts the data to 1,000 rows with no word; every row trains here"
        draft.drop("max_samples", 1000, why)
    if "bf16" in known or "pure_bf16" in known:
        known.setdefault("fp16", False)
    if rows:
        known["dataset"] = rows
        info = {row: {"file_name": row} for row in rows}
        around = replace(around, dataset_info=info, dataset_folder="")
    filled = {name: value for name, value in _LLAMAFACTORY.items() if name not in known}
    if known.get("finetuning_type", "lora") != "lora":
        filled = {name: value for name, value in filled.items() if not name.startswith("lora_")}
    if not rows:
        filled.pop("val_size", None)
    train(draft, {**filled, **known, "do_train": True}, around)
    # A bare file's format is looked up in its rows, which LazyLLM guesses from the first.
    _bare(draft)
    draft.check(f"these are LazyLLM's defaults, written out: {', '.join(sorted(filled))}")
    if "template" not in known:
        draft.check("model.template: LazyLLM guesses it from the model's name; here it is the model's own")


def _bare(draft: Draft) -> None:
    rows = draft.get("data.train")
    if isinstance(rows, list):
        paths = [row["path"] if isinstance(row, Mapping) else row for row in rows]
        draft.set("data.train", paths[0] if len(paths) == 1 else paths)


def _retired(draft: Draft, source: Source, rest: dict[str, Any], around: Around, method: str) -> None:
    for key in _ROWS:
        if key in rest and key != "data_path":
            rest["data_path"] = rest.pop(key)
    tool = "lazyllm-alpaca-lora" if method == "alpacalora" else "collie"
    retired.write(draft, source, rest, around, tool)
    draft.check(f"{method} is retired: LLaMA-Factory trains the LoRA now, with that tool's settings")


def _flagembedding(draft: Draft, source: Source, rest: dict[str, Any], around: Around) -> None:
    for key in ("trainset", "data_path", "training_dataset"):
        if key in rest:
            rest["train_data"] = rest.pop(key)
    rest["model_name_or_path"] = rest.pop("base_model", rest.get("model_name_or_path"))
    if "target_path" in rest:
        rest["output_dir"] = rest.pop("target_path")
    reranker = "rerank" in str(rest["model_name_or_path"]).lower() or "rerank" in str(rest.get("type", ""))
    filled = {name: value for name, value in _FLAGEMBEDDING.items() if name not in rest}
    if reranker:
        filled = {"train_group_size": 8, "query_max_len": 256, "passage_max_len": 256, "learning_rate": 6e-5,
                  "fp16": True} | {name: rest[name] for name in ("fp16",) if name in rest}  # fmt: skip
    kind = "reranker" if reranker else "embedder"
    entry = f"{flagembedding.ENTRY}{kind}.encoder_only.base"
    flagembedding.of(draft, source, entry, {**filled, **rest}, around, None)
    draft.check(f"these are LazyLLM's defaults, written out: {', '.join(sorted(set(filled) - set(rest)))}")
    draft.check(
        "LazyLLM trains with a query instruction that its server then leaves out: see that both agree"
    )


def _deploy(draft: Draft, given: Any) -> None:
    if given is None:
        return
    name = given if isinstance(given, str) else next(iter(names(given)), "")
    method = str(name).rsplit(".", 1)[-1].lower()
    if method in ("vllm", "lmdeploy", "auto"):
        draft.set("deploy.engine", method, "deploy_method")
    else:
        draft.drop("deploy_method", given, "ftctl serves by vllm or lmdeploy")
        draft.set("deploy.engine", "auto")
