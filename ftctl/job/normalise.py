"""A checked document to one frozen Job: short forms made long, paths made absolute, defaults filled in."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import fields as fields_of
from pathlib import Path
from typing import Any

from ftctl.job import model, training
from ftctl.job.model import Data, Dataset, Deploy, Evaluate, Model, Resources
from ftctl.job.training import Train

_RETRIEVAL = fields_of(training.Retrieval)  # flat in a job file, together in the job
_FILES = frozenset({"file", "function", "interpreter", "rubric"})  # options of metrics that begin with a path
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(?:([KMGT])(i?))?B")


@dataclass(frozen=True)
class Folder:
    """Where relative paths start, where `~` is, and whether a path is a folder there."""

    base: Path
    home: Path
    is_dir: Callable[[Path], bool]

    def path(self, written: str) -> Path:
        """The absolute path of what was written, its leading `..` followed: `base` holds no links."""
        if written == "~" or written.startswith("~/"):
            return self.home / written[2:]
        base, parts = self.base, Path(written).parts
        while parts and parts[0] == "..":
            base, parts = base.parent, parts[1:]
        return base.joinpath(*parts)


def model_of(value: str | Mapping[str, Any], folder: Folder) -> Model:
    """The model, with its folder's absolute path where it is local."""
    fields = {"path": value} if isinstance(value, str) else dict(value)
    written = fields.pop("path")
    local = is_local(written, folder)
    return Model(path=str(folder.path(written)) if local else written, local=local, **_set(fields))


def is_local(written: str, folder: Folder) -> bool:
    """Whether a model is a folder and no Hub id."""
    return written.startswith((".", "/", "~")) or folder.is_dir(folder.path(written))


def data_of(value: Mapping[str, Any], folder: Folder) -> Data:
    """`eval` and `test` as numbers are shares or counts; as anything else they are files."""
    rest = _set({key: value[key] for key in ("mix", "workers", "overlap") if key in value})
    shares = {name: _share(value.get(name)) for name in ("eval", "test")}
    return Data(
        train=datasets_of(value.get("train"), folder),
        eval=() if shares["eval"] else datasets_of(value.get("eval"), folder),
        eval_share=shares["eval"],
        test=() if shares["test"] else datasets_of(value.get("test"), folder),
        test_share=shares["test"],
        **rest,
    )


def _share(rows: Any) -> float | int | None:
    """A share below 1 or a count of rows; None for files."""
    if not isinstance(rows, (int, float)) or isinstance(rows, bool):
        return None
    return int(rows) if rows >= 1 else rows


def datasets_of(value: Any, folder: Folder) -> tuple[Dataset, ...]:
    """A path, a mapping, or a list of these, as datasets."""
    items = value if isinstance(value, list) else [] if value is None else [value]
    found = []
    for item in items:
        fields = {"path": item} if isinstance(item, str) else dict(item)
        path = folder.path(fields.pop("path"))
        found.append(Dataset(path=path, **_set(fields)))
    return tuple(found)


def train_of(value: Mapping[str, Any], folder: Folder) -> Train:
    """The training block with its defaults."""
    fields = _set(value)
    packing = fields.pop("packing", None)
    fields["packing"] = "plain" if packing is True else packing or None
    if "quantization" in fields:
        bits = fields["quantization"]
        full = {"bits": bits} if not isinstance(bits, Mapping) else bits
        fields["quantization"] = training.Quantization(**full)
    for name, kind in (("lora", training.Lora), ("freeze", training.Freeze)):
        if name in fields:
            fields[name] = kind(**_set(fields[name]))
    if "checkpoints" in fields:
        # `keep: null` means all of them, so null is kept here.
        fields["checkpoints"] = training.Checkpoints(**_frozen(fields["checkpoints"]))
    if "early_stopping" in fields:
        fields["early_stopping"] = training.EarlyStopping(**_set(fields["early_stopping"]))
    if isinstance(asked := fields.get("report_to"), str):
        fields["report_to"] = () if asked == "none" else (asked,)
    if "tracking" in fields:
        fields["tracking"] = _tracking(_set(fields["tracking"]), folder)
    retrieval = {one.name: fields.pop(one.name) for one in _RETRIEVAL if one.name in fields}
    if "temperature" in retrieval:
        retrieval["temperature"] = float(retrieval["temperature"])
    fields["retrieval"] = training.Retrieval(**retrieval)
    for name in ("epochs", "weight_decay", "max_grad_norm"):
        if name in fields:
            fields[name] = float(fields[name])
    if isinstance(file := fields.get("native", {}).get("deepspeed"), str):
        fields["native"] = {**fields["native"], "deepspeed": str(folder.path(file))}
    if fields.get("warmup", 0) >= 1:
        fields["warmup"] = int(fields["warmup"])
    return Train(**_interpreter(fields, folder))


def _tracking(fields: dict[str, Any], folder: Folder) -> dict[str, Any]:
    """What the trackers are told, MLflow's folder by its absolute path."""
    if "uri" in fields and not is_address(fields["uri"]):
        fields["uri"] = str(folder.path(fields["uri"]))
    return fields


def is_address(uri: str) -> bool:
    """Whether MLflow's place is a URI and no folder."""
    return ":" in uri or uri == "databricks"


def resources_of(value: Mapping[str, Any]) -> Resources:
    """The resources block with its defaults."""
    return Resources(**_set(value))


def deploy_of(value: Mapping[str, Any], folder: Folder) -> Deploy:
    """The deployment block with its defaults; sizes in bytes."""
    fields = _set(value)
    if "kv_cache_memory" in fields:
        fields["kv_cache_memory"] = size_of(fields["kv_cache_memory"])
    if "ready_timeout" in fields:
        fields["ready_timeout"] = float(fields["ready_timeout"])
    if "tls" in fields:
        fields["tls"] = {name: folder.path(file) for name, file in _set(fields["tls"]).items()}
    if "canary" in fields:
        fields["canary"] = folder.path(fields["canary"])
    if "adapters" in fields:
        fields["adapters"] = {name: _place(text, folder) for name, text in fields["adapters"].items()}
    if "speculative" in fields:
        drafts = _set(fields["speculative"])
        fields["speculative"] = drafts | {
            key: _place(drafts[key], folder) for key in drafts.keys() & {"model"}
        }
    return Deploy(**_interpreter(fields, folder))


def evaluate_of(value: Mapping[str, Any], folder: Folder) -> Evaluate:
    """The evaluation block with its defaults; what a metric is given as a file by its absolute path."""
    fields = _set(value)
    fields["data"] = datasets_of(value.get("data"), folder)
    if "metrics" in fields:
        fields["metrics"] = tuple(_metric(metric, folder) for metric in fields["metrics"])
    fields["tasks"] = tuple(_task(task, folder) for task in fields.get("tasks", ()))
    fields["sampling"] = {**model.GREEDY, **_set(fields.get("sampling", {}))}
    for name in ("timeout", "max_errors"):
        if name in fields:
            fields[name] = float(fields[name])
    return Evaluate(**_interpreter(fields, folder))


def _metric(written: str | Mapping[str, Any], folder: Folder) -> dict[str, Any]:
    """One metric's name and its options."""
    if isinstance(written, str):
        return {written: {}}
    ((name, options),) = written.items()
    placed = {key: str(folder.path(text)) if key in _FILES else text for key, text in options.items()}
    return {name: placed}


def _task(written: str | Mapping[str, Any], folder: Folder) -> dict[str, Any]:
    """One task of lm-eval with all its keys; a folder is written with a / at its end."""
    if isinstance(written, str):
        written = {"include" if written.endswith("/") else "task": written}
    include = written.get("include")
    known = {name: written.get(name) for name in ("task", "fewshot", "limit")}
    return {**known, "include": None if include is None else str(folder.path(include))}


def _place(written: str, folder: Folder) -> str:
    """A folder's absolute path; what is none stays as it is written."""
    return str(folder.path(written)) if is_local(written, folder) else written


def size_of(value: int | str) -> int:
    """A size in bytes: `64MiB` is 64 × 1024², `64MB` 64 × 1000²."""
    if not isinstance(value, str):
        return int(value)
    match = _SIZE.fullmatch(value)
    if match is None:
        raise ValueError(value)
    number, prefix, binary = match.groups()
    power = " KMGT".index(prefix) if prefix else 0
    return int(float(number) * (1024 if binary else 1000) ** power)


def _interpreter(fields: dict[str, Any], folder: Folder) -> dict[str, Any]:
    if "engine_python" in fields:
        fields["engine_python"] = folder.path(fields["engine_python"])
    return fields


def _set(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that are set, their values frozen: null means not set."""
    return {key: value for key, value in _frozen(fields).items() if value is not None}


def _frozen(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _freeze(value, native=key == "native") for key, value in fields.items()}


def _freeze(value: Any, *, native: bool = False) -> Any:
    """Lists to tuples; lists inside native stay, for they are written out again."""
    if isinstance(value, Mapping):
        return {key: _freeze(item, native=native) for key, item in value.items()}
    if isinstance(value, list):
        return [_freeze(item, native=native) for item in value] if native else tuple(map(_freeze, value))
    return value


_HUB_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(?:/[A-Za-z0-9_][A-Za-z0-9._-]*)?")


def hub_fault(written: str) -> tuple[str, str] | None:
    """What is wrong with a Hub id, and the way out; the form is huggingface_hub's `validate_repo_id`."""
    wrong = not _HUB_ID.fullmatch(written) or "--" in written or ".." in written or len(written) > 96
    if not wrong and not written.endswith((".git", ".", "-")):
        return None
    return f'"{written}" is neither a folder nor a Hub id', "write owner/name, or begin a folder with ./"
