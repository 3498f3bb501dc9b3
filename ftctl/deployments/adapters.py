"""LoRA adapters, looked at before a server gets them: whose they are, and whether they fit its base model."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ftctl.artifacts.chat_template import JINJA, saved_template
from ftctl.artifacts.model import Artifact
from ftctl.artifacts.reading import strange
from ftctl.artifacts.safetensors import BrokenWeights, Tensor, read_header
from ftctl.artifacts.verify import ADAPTER
from ftctl.artifacts.weights import read_json, read_template, read_weights
from ftctl.errors import UsageError
from ftctl.record import from_record
from ftctl.run.directory import RunDir
from ftctl.run.find import lookup
from ftctl.servers.vllm_lora import highest_rank, lora_rank, refusals

CONFIG = "adapter_config.json"
STEM = "base_model.model."
# What a copy of a model may say otherwise of the same weights.
UNTOLD = ("_name_or_path", "transformers_version")

Tensors = Mapping[str, Tensor]


class Looked(NamedTuple):
    """The folder of each adapter by its name, the largest of their ranks, and the jinja file that they were
    trained with, where it is not the base model's own."""

    folders: Mapping[str, str]
    rank: int | None
    template: str | None


def look_at(named: Mapping[str, str], base: str, own: Path | None = None) -> Looked:
    """What a server needs to know of the adapters that it is to have.

    `named` are runs or folders, `base` is the folder or the Hub id of the model that they are attached to,
    and `own` the folder of the adapter that the server is for, where there is one. Raises UsageError, naming
    the adapter, for what is none, was trained on another model or otherwise than the others, or cannot be
    attached by vLLM.
    """
    found: dict[str, str] = {}
    ranks: list[int] = []
    for name, text in named.items():
        try:
            folder = adapter_folder(text)
            ranks.append(check_adapter(folder, base))
        except (UsageError, BrokenWeights) as error:
            raise UsageError(f"deploy.adapters.{name}: {error.message}", error.remedy) from None
        found[name] = str(folder)
    folders = [*([own] if own else []), *map(Path, found.values())]
    return Looked(found, max(ranks, default=None), _template(folders, base))


def _template(folders: Sequence[Path], base: str) -> str | None:
    """The one chat template that the adapters were trained with. Raises UsageError where there are two."""
    trained = {folder: text for folder in folders if isinstance(text := saved_template(folder), str)}
    if len(set(trained.values())) > 1:
        one = next(iter(trained))
        other = next(folder for folder, text in trained.items() if text != trained[one])
        raise UsageError(
            f"deploy.adapters: {one} and {other} were trained with different chat templates",
            "a server has one template: serve one of them by a deployment of its own",
        )
    files = [folder / JINJA for folder in trained if (folder / JINJA).is_file()]
    same = Path(base).is_dir() and saved_template(Path(base)) in trained.values()
    return None if same or not files else str(files[0])


def check_template(folder: Path, base: str, served: str | None) -> None:
    """Raise UsageError where the adapter was trained with another chat template than a server has.

    `served` is the jinja file that it was started with, None where it has the base model's own.
    """
    trained, known = saved_template(folder), served is not None or Path(base).is_dir()
    has = saved_template(Path(base)) if served is None else read_template(Path(served))
    if isinstance(trained, str) and known and trained != has:
        raise UsageError(
            f"{folder} was trained with another chat template than the server has",
            "serve it by a deployment of its own, which takes the adapter's template",
        )


def adapter_folder(text: str) -> Path:
    """The folder of the adapter that `text` names: a folder, or a run that made one. Raises UsageError."""
    path = Path(text).expanduser()
    if (path / CONFIG).is_file():
        return path.resolve()
    run = lookup(text)
    if run is None:
        what = f"{path} is no adapter: it has no {CONFIG}" if path.is_dir() else f"there is no {text}"
        raise UsageError(what, "name a run that trained with method: lora, or an adapter's folder")
    record = RunDir(run).read_json("adapter.json")
    if record is None:
        raise UsageError(
            f"the run {run.name} has no adapter", "method: lora makes one; ftctl runs lists runs"
        )
    return from_record(Artifact, record).path


def check_adapter(folder: Path, base: str) -> int:
    """The adapter's rank. Raises UsageError for one that vLLM refuses or that does not fit `base`,
    BrokenWeights for weights that are not what its configuration says."""
    for said in strange(folder, anywhere=()):
        raise UsageError(f"{folder}: {said}", "copy the file itself")
    config = read_json(folder / CONFIG)
    for said in refusals(config):
        raise UsageError(
            f"vLLM cannot attach {folder}: {said}", "merge it into its base: deploy.adapter: merge"
        )
    rank = highest_rank(config)
    if rank < 1:
        raise BrokenWeights(f"{folder / CONFIG}: it has no rank (r)")
    lora_rank(rank)
    tensors = _weights(folder)
    most = max((one.shape[0] for name, one in tensors.items() if ".lora_A." in name and one.shape), default=0)
    if most > rank:
        raise BrokenWeights(f"{folder}: its weights have rank {most} and its {CONFIG} says {rank}")
    _same_base(folder, str(config.get("base_model_name_or_path") or ""), base)
    if Path(base).is_dir():
        _fits(folder, tensors, Path(base))
    return rank


def _weights(folder: Path) -> Tensors:
    if not (folder / ADAPTER).is_file() and any(folder.glob("adapter_model.*")):
        raise UsageError(
            f"{folder}: its weights are pickled, which runs code when loaded", f"save them as {ADAPTER}"
        )
    return read_header(folder / ADAPTER)


def _same_base(folder: Path, trained_on: str, base: str) -> None:
    """Raise UsageError where the adapter was trained on another model than `base`.

    A model is known by its name, its folder, or, where two folders hold it, by every byte of its weights.
    """
    if trained_on == base or f"models--{trained_on.replace('/', '--')}" in Path(base).parts:
        return
    known = [path for path in (folder.parent / trained_on, Path(trained_on)) if trained_on and path.is_dir()]
    here = Path(base)
    if here.is_dir() and any(path.resolve() == here.resolve() or _alike(path, here) for path in known):
        return
    moved = not known and Path(trained_on).is_absolute() and Path(trained_on).name == here.name
    if not (moved and here.is_dir()):
        raise UsageError(
            f'{folder} was trained on "{trained_on}", not on "{base}"',
            f"serve it on its own base; if it is the same model, name that in its {CONFIG}",
        )


def _alike(one: Path, other: Path) -> bool:
    """Whether two folders hold the same model: configuration, shapes, and then every byte."""
    try:
        same = _told(one) == _told(other) and _shapes(one) == _shapes(other)
    except BrokenWeights:
        return False
    return same and _digests(one) == _digests(other)


def _told(folder: Path) -> dict[str, Any]:
    return {key: value for key, value in read_json(folder / "config.json").items() if key not in UNTOLD}


def _shapes(folder: Path) -> dict[str, Tensors]:
    return {path.name: tensors for path, tensors in read_weights(folder).items()}


def _digests(folder: Path) -> list[str]:
    digests = []
    for path in sorted(read_weights(folder)):
        with open(path, "rb") as file:
            digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    return digests


def _fits(folder: Path, tensors: Tensors, base: Path) -> None:
    """Raise UsageError where the adapter's matrices have other widths than those of `base` that they change.

    A base whose weights are quantised has them under other names: then only names are compared.
    """
    shapes = {name: one.shape for part in read_weights(base).values() for name, one in part.items()}
    modules = {name.rpartition(".")[0] for name in shapes}
    changed = {name: one.shape for name, one in tensors.items() if ".lora_A." in name or ".lora_B." in name}
    known = {name for name in changed if _module(name) in modules}
    wrong = [name for name in sorted(known) if not _wide(name, changed[name], shapes)]
    if not known or wrong:
        what = _module(wrong[0]) if wrong else "none of its modules"
        said = f"{what} has another shape there" if wrong else "it changes modules that are not there"
        raise UsageError(
            f"{folder} does not fit the model {base}: {said}", "serve it on the model it was trained on"
        )


def _module(name: str) -> str:
    return name.removeprefix(STEM).partition(".lora_")[0]


def _wide(name: str, shape: tuple[int, ...], shapes: Mapping[str, tuple[int, ...]]) -> bool:
    weight = shapes.get(f"{_module(name)}.weight")
    if weight is None or len(weight) != 2 or len(shape) != 2:
        return True
    return shape[1] == weight[1] if ".lora_A." in name else shape[0] == weight[0]
