"""LLaMA-Factory 0.9.5: how a plan becomes its native files and its command.

Everything is rendered relative to the run directory, which is the working directory: torchrun joins its
arguments by spaces and splits them again (seen in 0.9.5), so a path with a space would break there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ftctl.events import Event, parse
from ftctl.job.model import Dataset, Deploy
from ftctl.job.training import Train
from ftctl.plan.model import Plan, TrainPlan
from ftctl.rendered import Rendered
from ftctl.trainers import parted
from ftctl.trainers.dataset_info import dataset_info_entry
from ftctl.trainers.start import (
    CACHE,
    FILE,
    INSIDE,
    command,
    environment,
    interpreter,
    optimization,
    reporting,
    strategy,
    training,
)

NAME = "llamafactory"
TASKS = frozenset({"sft"})
RUNNER = INSIDE / "llamafactory_runner.py"
STAGES = {"sft": "sft"}
VOCABULARY = ("resize_vocab", "add_tokens", "add_special_tokens", "new_special_tokens_config")
OUTPUT = "output"
MERGED = "merged"


def render(plan: Plan) -> Rendered:
    """The training command, `native/train.yaml` and `native/dataset_info.json`, and links to the data."""
    return _rendered(plan, arguments(plan))


def render_resume(plan: Plan, checkpoint: str) -> Rendered:
    """The same, going on from a checkpoint: a folder of the run directory."""
    return _rendered(plan, arguments(plan) | {"resume_from_checkpoint": checkpoint})


def _rendered(plan: Plan, said: Mapping[str, Any]) -> Rendered:
    info, links = _datasets(plan)
    files = {FILE: _yaml(said), "native/dataset_info.json": _json(info)}
    return Rendered(command(plan, str(RUNNER), FILE), _environment(plan), files, links, (CACHE,))


def arguments(plan: Plan) -> dict[str, Any]:
    """Everything that `native/train.yaml` says, under the engine's names; `native` wins."""
    train, decided = training(plan)
    return _arguments(plan, train, decided) | dict(train.native)


def program(plan: Plan) -> str:
    """`llamafactory-cli train`, whatever the plan."""
    return "train"


def render_data(plan: Plan, python: str) -> Rendered | None:
    """The parts of the files of which rows are held out; any other file the engine reads as it is."""
    return parted.render(plan, python)


def render_merge(plan: Plan) -> Rendered | None:
    """The engine's own export of a LoRA adapter into whole weights; None for a full or freeze result."""
    train, decided = training(plan)
    if train.method != "lora" or not plan.merge:
        return None
    model = plan.job.model
    arguments: dict[str, Any] = {
        "model_name_or_path": model.path,
        "adapter_name_or_path": OUTPUT,
        "finetuning_type": "lora",
        "export_dir": MERGED,
        "export_size": 5,
        "export_device": "auto" if decided.devices else "cpu",
        # auto would turn fp32 weights into half precision where it can; the base's own type is exact.
        "infer_dtype": plan.facts.model.dtype or "auto",
        "trust_remote_code": model.trust_remote_code,
    }
    _set(arguments, "template", decided.template)
    _set(arguments, "model_revision", model.revision)
    for key in VOCABULARY:  # without them the adapter's embedding has rows that the base has not
        _set(arguments, key, train.native.get(key))
    argv = (str(interpreter(plan)), "-m", "llamafactory.cli", "export", "native/export.yaml")
    return Rendered(argv, _environment(plan), {"native/export.yaml": _yaml(arguments)})


def progress(line: str) -> Event | None:
    """The runner writes our own events (see `inside/llamafactory_runner.py`), one a line."""
    return parse(line)


def results(plan: Plan) -> Mapping[str, Path]:
    """Where the result lies, relative to the run directory."""
    train, _ = training(plan)
    if train.method != "lora":
        return {"model": Path(OUTPUT)}
    found = {"adapter": Path(OUTPUT)}
    if plan.merge:
        found["merged"] = Path(MERGED)
    return found


def _environment(plan: Plan) -> dict[str, str | None]:
    """What the engine's environment variables must and must not be."""
    env = environment(plan) | {
        "DISABLE_VERSION_CHECK": None,
        "USE_V1": None,  # another program with other keys
        "USE_RAY": None,
        "FORCE_TORCHRUN": None,
        "LLAMABOARD_ENABLED": None,
    }
    if plan.job.model.hub == "modelscope":
        env["USE_MODELSCOPE_HUB"] = "1"
    return env | _served_by(plan.job.deploy)


def _served_by(deploy: Deploy | None) -> dict[str, str | None]:
    """What the runner is told of the server, to look before it trains whether that could see the same."""
    if deploy is None:
        return {}
    told: dict[str, str | None] = {"FTCTL_PARITY": "fail"} if deploy.parity == "fail" else {}
    given = deploy.native.get("chat_template") or deploy.native.get("chat-template")
    return told | {"FTCTL_CHAT_TEMPLATE": str(given)} if given else told


def _datasets(plan: Plan) -> tuple[dict[str, Any], dict[str, Path]]:
    """The registry of data files, and the links in `data/` that its file names point to."""
    info: dict[str, Any] = {}
    links: dict[str, Path] = {}
    data, facts_of = plan.job.data, plan.facts
    if data is None:
        return info, links
    written = parted.sides(plan)
    for kind in written[:2] if "eval" in written else written[:1]:
        for number, (dataset, fact) in enumerate(zip(data.train, facts_of.train_data, strict=True)):
            one, known = parted.part(dataset, fact)
            info[f"{kind}_{number}"] = dataset_info_entry(known, f"../{parted.place(kind, number)}", one)
    named = [] if written else [("train", data.train, facts_of.train_data)]
    for kind, datasets, facts in (*named, ("eval", data.eval, facts_of.eval_data)):
        for number, (dataset, fact) in enumerate(zip(datasets, facts, strict=True)):
            name = f"{kind}_{number}"
            link = f"data/{name}.{fact.file_type}"
            info[name] = dataset_info_entry(fact, f"../{link}", dataset)
            links[link] = fact.path
    return info, links


def _arguments(plan: Plan, train: Train, decided: TrainPlan) -> dict[str, Any]:
    """All that the job says and the plan derived, under the engine's names."""
    model = plan.job.model
    arguments: dict[str, Any] = {
        "model_name_or_path": model.path,
        "trust_remote_code": model.trust_remote_code,
        "stage": STAGES[train.task],
        "do_train": True,
        "finetuning_type": train.method,
        "output_dir": OUTPUT,
        "dataset_dir": "native",
        "cutoff_len": train.max_length,
        "overwrite_cache": True,
        **optimization(train, decided),
        "flash_attn": train.attention,
        "disable_gradient_checkpointing": not decided.gradient_checkpointing,
        "logging_steps": train.log_every,
        "include_num_input_tokens_seen": "all" if train.packing else "non_padding",
        **reporting(plan),
        "ddp_timeout": 180_000_000,
    }
    _set(arguments, "max_steps", train.max_steps)
    _set(arguments, "model_revision", model.revision)
    _set(arguments, "template", decided.template)
    arguments |= _data(plan) | _method(train) | _packing(train) | _kernels(train)
    return arguments | _saving(train) | _evaluation(plan, train, decided)


def _data(plan: Plan) -> dict[str, Any]:
    data = plan.job.data
    if data is None:
        return {}
    arguments: dict[str, Any] = {"dataset": ",".join(f"train_{number}" for number in range(len(data.train)))}
    if data.mix != "concat":
        arguments["mix_strategy"] = data.mix
        arguments["interleave_probs"] = ",".join(str(share) for share in _shares(data.train))
    _set(arguments, "preprocessing_num_workers", data.workers)
    return arguments


def _shares(datasets: tuple[Dataset, ...]) -> list[float]:
    weights = [1.0 if dataset.weight is None else dataset.weight for dataset in datasets]
    return [weight / sum(weights) for weight in weights]


def _method(train: Train) -> dict[str, Any]:
    """What belongs to the fine-tuning method: LoRA's or freeze tuning's settings, and quantization."""
    arguments: dict[str, Any] = {}
    if train.method == "lora":
        lora = train.lora
        arguments |= {
            "lora_rank": lora.rank,
            "lora_alpha": 2 * lora.rank if lora.alpha is None else lora.alpha,
            "lora_dropout": lora.dropout,
            "lora_target": ",".join(lora.targets) or "all",
            "use_rslora": lora.rslora,
            "use_dora": lora.dora,
        }
    if train.method == "freeze":
        arguments["freeze_trainable_layers"] = train.freeze.layers
        arguments["freeze_trainable_modules"] = ",".join(train.freeze.modules) or "all"
        _set(arguments, "freeze_extra_modules", ",".join(train.freeze.extra) or None)
    if train.quantization is not None:
        quantization = train.quantization
        arguments |= {
            "quantization_bit": quantization.bits,
            "quantization_method": quantization.method,
            "quantization_type": quantization.type,
            "double_quantization": quantization.double,
        }
    return arguments


def _packing(train: Train) -> dict[str, Any]:
    return {"packing": train.packing is not None, "neat_packing": train.packing == "neat"}


def _kernels(train: Train) -> dict[str, Any]:
    return {"enable_liger_kernel": "liger" in train.kernels, "use_unsloth": "unsloth" in train.kernels}


def _saving(train: Train) -> dict[str, Any]:
    kept = train.checkpoints
    arguments = strategy("save", "no" if kept.every == "never" else kept.every)
    _set(arguments, "save_total_limit", kept.keep)
    return arguments | {"save_only_model": kept.weights_only} | _best(train)


def _best(train: Train) -> dict[str, Any]:
    """The best checkpoint stays and becomes the result; without getting better the training ends."""
    best, early = train.checkpoints.keep_best, train.early_stopping
    if best is None and early is None:
        return {}
    figure = best or "eval_loss"
    arguments = {
        "metric_for_best_model": figure,
        "greater_is_better": not figure.endswith("loss"),
        "load_best_model_at_end": best is not None,
    }
    _set(arguments, "early_stopping_steps", early.patience if early is not None else None)
    return arguments


def _evaluation(plan: Plan, train: Train, decided: TrainPlan) -> dict[str, Any]:
    """Held-out data is evaluated on: without a strategy the engine would hold it out and never look."""
    data = plan.job.data
    if data is None or (data.eval_share is None and not data.eval):
        return {}
    with_saving = train.checkpoints.every if train.checkpoints.keep_best is not None else "epoch"
    arguments = strategy("eval", train.eval_every or with_saving)
    arguments["per_device_eval_batch_size"] = decided.micro_batch_size
    files = data.eval or data.train  # each training file has a part of its own that is held out
    arguments["eval_dataset"] = ",".join(f"eval_{number}" for number in range(len(files)))
    return arguments


def _set(arguments: dict[str, Any], key: str, value: Any) -> None:
    if value is not None:
        arguments[key] = value


def _yaml(arguments: Mapping[str, Any]) -> str:
    """YAML that OmegaConf reads back as it was: `${` would be an interpolation there."""
    escaped = {key: _escape(value) for key, value in arguments.items()}
    return yaml.safe_dump(escaped, sort_keys=False, allow_unicode=True, width=4096)


def _escape(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("${", "\\${")
    if isinstance(value, Mapping):
        return {key: _escape(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_escape(inner) for inner in value]
    return value


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"
