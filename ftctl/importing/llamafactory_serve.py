"""LLaMA-Factory's export, inference, prediction and evaluation configs as jobs that only deploy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ftctl.importing import serving
from ftctl.importing.draft import Draft, names
from ftctl.importing.flags import value_of
from ftctl.importing.llamafactory_data import data
from ftctl.importing.places import folder, model
from ftctl.importing.source import Around

_DTYPES = {"auto": "auto", "float16": "float16", "bfloat16": "bfloat16", "float32": "float32"}
_FIELDS = {
    "vllm_maxlen": "deploy.max_length",
    "sglang_maxlen": "deploy.max_length",
    "vllm_gpu_util": "deploy.gpu_memory_share",
    "sglang_mem_fraction": "deploy.gpu_memory_share",
    "sglang_tp_size": "deploy.tensor_parallel",
}
# What the server answers with where a request does not say: vLLM's override_generation_config.
_SAMPLING = ("temperature", "top_p", "top_k", "repetition_penalty", "max_new_tokens")
_EXPORT = "ftctl merges what it trains by itself, and serves here what this export wrote"
_NOTHING = "ftctl's evaluate block has nothing like it"
_DRAWN = {"max_new_tokens": "max_tokens"} | {name: name for name in _SAMPLING[:-1]}


def export(draft: Draft, document: Mapping[str, Any], around: Around) -> Draft:
    """An export: a job that serves the folder which the export writes."""
    rest = _start(draft, document, around)
    base = draft.job["model"]["path"]
    draft.set("model.path", folder(str(rest.pop("export_dir")), around), "export_dir")
    if not draft.job["model"]["path"].startswith((".", "/", "~")):
        draft.set("model.path", f"./{draft.job['model']['path']}", "export_dir")
    draft.drop("model_name_or_path", base, "it is in the folder that the export writes")
    draft.check("model: make this folder first, with llamafactory-cli export and the original file")
    if "export_quantization_bit" in rest:
        draft.check(
            "ftctl quantizes no weights in this version: the export itself stays LLaMA-Factory's work"
        )
    draft.set("deploy.engine", "vllm")
    for argument in list(rest):
        if argument.startswith("export_") or argument in ("adapter_name_or_path", "finetuning_type"):
            draft.drop(argument, rest.pop(argument), _EXPORT)
    return _finish(draft, rest, "belongs to the export, which stays LLaMA-Factory's work")


def infer(draft: Draft, document: Mapping[str, Any], around: Around) -> Draft:
    """An inference config: a job that serves the model, with the adapter that it names."""
    rest = _start(draft, document, around)
    backend = rest.pop("infer_backend", "huggingface")
    draft.set("deploy.engine", "vllm", "infer_backend")
    if backend != "vllm":
        draft.drop("infer_backend", backend, "ftctl serves by vLLM")
    _adapters(draft, rest, around)
    for argument, key in _FIELDS.items():
        if argument in rest and draft.put(key, rest[argument], argument):
            del rest[argument]
    if rest.get("infer_dtype") in _DTYPES:
        draft.set("deploy.dtype", _DTYPES[rest.pop("infer_dtype")], "infer_dtype")
    if "vllm_enforce_eager" in rest:
        draft.native("deploy", "enforce_eager", rest.pop("vllm_enforce_eager"))
        draft.origins[("deploy", "native", "enforce_eager")] = "vllm_enforce_eager"
    config = rest.get("vllm_config")
    config = value_of(config) if isinstance(config, str) else config
    if isinstance(config, Mapping):
        del rest["vllm_config"]
        for argument, value in config.items():
            draft.native("deploy", argument, value)
            draft.origins[("deploy", "native", argument)] = "vllm_config"
    sampling = {argument: rest.pop(argument) for argument in _SAMPLING if argument in rest}
    if rest.get("do_sample") is False:
        sampling["temperature"] = 0.0
        draft.drop("do_sample", rest.pop("do_sample"), "temperature 0 is the same")
    if sampling:
        draft.native("deploy", "override_generation_config", sampling)
    return _finish(draft, rest, "LLaMA-Factory's own server reads it; vLLM does not")


def judge(draft: Draft, document: Mapping[str, Any], around: Around) -> Draft:
    """A prediction or an evaluation: a job that serves the model and asks it the same rows."""
    rest = _start(draft, document, around)
    draft.set("deploy.engine", "vllm")
    _adapters(draft, rest, around)
    if "task" in rest:
        draft.check("LLaMA-Factory 0.9.5 itself no longer runs its eval command (NotImplementedError)")
    block: dict[str, Any] = {}
    if not rest.keys().isdisjoint(("dataset", "eval_dataset")):
        holder = Draft(draft.title, draft.schema, changes=draft.changes, checks=draft.checks)
        given = dict(rest)
        data(holder, rest, around)
        block = holder.job.get("data", {})
        _left(draft, given, rest, block)
        # Not a training: that no rows are named to train on is as it should be.
        draft.checks[:] = [
            check for check in draft.checks if not check.startswith("data.train: the original")
        ]
    rows = block.get("eval") or block.get("train")
    if isinstance(rows, str | list | Mapping):
        draft.set("evaluate.data", rows, "eval_dataset")
        for argument, key in _DRAWN.items():
            if argument in rest:
                draft.set(f"evaluate.sampling.{key}", rest.pop(argument), argument)
    return _finish(draft, rest, _NOTHING)


def _left(draft: Draft, given: Mapping[str, Any], rest: Mapping[str, Any], block: Mapping[str, Any]) -> None:
    """Name what was taken for a data block, of which `evaluate` has the files alone."""
    said = {change.argument for change in draft.changes} | {"eval_dataset"}
    if "eval" not in block:
        said.add("dataset")
    for argument in given:
        if argument not in rest and argument not in said:
            draft.drop(argument, given[argument], _NOTHING)


def _start(draft: Draft, document: Mapping[str, Any], around: Around) -> dict[str, Any]:
    rest = {key: value for key, value in document.items() if value is not None}
    if unset := [key for key, value in document.items() if value is None]:
        draft.drop(", ".join(unset), None, "null in the original, which leaves the engine's default")
    model(draft, rest, around)
    if draft.get("model.template") is not None:
        draft.check(
            "model.template: the server takes the chat template in the model's folder; see that it agrees"
        )
    return rest


def _adapters(draft: Draft, rest: dict[str, Any], around: Around) -> None:
    if "adapter_name_or_path" not in rest:
        return
    paths = names(rest.pop("adapter_name_or_path"))
    serving.adapters(draft, paths, around, "adapter_name_or_path")
    for argument in ("finetuning_type", "vllm_max_lora_rank"):
        if argument in rest:
            draft.drop(argument, rest.pop(argument), "the adapter's own config says it")


def _finish(draft: Draft, rest: dict[str, Any], why: str) -> Draft:
    for argument, value in rest.items():
        if argument.endswith(("_token", "_api_key", "_secret")):
            draft.secret(argument)
        else:
            draft.drop(argument, value, why)
    return draft
