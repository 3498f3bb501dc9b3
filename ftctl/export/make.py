"""One export: its files laid out, checked and described in a folder of their own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from ftctl import __version__
from ftctl.artifacts.model import Artifact
from ftctl.artifacts.weights import INDEX, read_json, read_weights
from ftctl.errors import UsageError
from ftctl.export import shards
from ftctl.export.card import text
from ftctl.export.contents import Tell, copy, parts, put, size_of_parts
from ftctl.export.described import card_of
from ftctl.export.merging import merged
from ftctl.export.place import MANIFEST, check_place, check_room, whole
from ftctl.export.source import Source

README = "README.md"
WORK = ".work"


@dataclass(frozen=True)
class Asked:
    """What is to be exported: `form` is merged, adapter, ollama or gguf; `shard_size` is in bytes, None: the
    weights stay in the files that they are in; `gguf_type` is what a GGUF file holds the weights in; what
    `leaves` this machine names no path of it."""

    form: str
    shard_size: int | None = None
    force: bool = False
    gguf_type: str = "auto"
    leaves: bool = False


@dataclass(frozen=True)
class Watched:
    """Who is told: `tell` of the bytes that are read, `say` of what begins, `total` of the bytes to come."""

    tell: Tell
    say: Callable[[str], None]
    total: Callable[[int], None]


@dataclass(frozen=True)
class Exported:
    """What was written: sha256 by name, and what there is to say of it."""

    form: str
    files: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def export(source: Source, target: Path, asked: Asked, watched: Watched) -> Exported:
    """Write an export to the folder `target`, whole or not at all.

    Raises UsageError for a place that is taken or a form that the result has not, Missing where there is no
    room or no engine to merge, FtctlError where a file is not the one that was verified.
    """
    check_place(target, force=asked.force)
    check_source(source, asked)
    check_room(target, room(source, asked))
    with whole(target, force=asked.force) as folder:
        return fill(source, folder, asked, watched)


def check_source(source: Source, asked: Asked) -> None:
    """Raises UsageError where the run has nothing of this form."""
    train = source.plan.job.train
    if asked.form == "adapter" and source.adapter is None:
        raise UsageError(
            f"the run {source.run.path.name} trained whole weights ({source.plan.method}): it has no adapter",
            "use --to merged",
        )
    if asked.form in ("ollama", "gguf") and (train is None or train.task != "sft"):
        raise UsageError(f"--to {asked.form} is for language models", "use --to merged")


def room(source: Source, asked: Asked) -> int:
    """The bytes that the export takes while it is made: twice the weights where they are merged for it."""
    if asked.form == "adapter" and source.adapter is not None:
        return _size(source.adapter)
    if source.whole is not None:
        return _size(source.whole) * (2 if asked.form == "gguf" else 1)
    return 2 * (source.plan.facts.model.weight_bytes or 0)


def _size(artifact: Artifact) -> int:
    return size_of_parts(artifact.path, parts(artifact.path, artifact.hashes))


def fill(source: Source, folder: Path, asked: Asked, watched: Watched) -> Exported:
    """Write all files of the export into a folder that is there and empty."""
    artifact = _artifact(source, folder / WORK, asked, watched)
    watched.total(_size(artifact))
    files, notes = _lay_out(source, artifact, folder, asked, watched)
    shutil.rmtree(folder / WORK, ignore_errors=True)
    files |= put(folder, README, text(card_of(source, asked.form, notes)))
    record = {
        "format": 1,
        "ftctl": __version__,
        "form": asked.form,
        "name": source.name,
        "run": source.run.path.name,
        "files": files,
    }
    (folder / MANIFEST).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return Exported(asked.form, files, notes)


def _artifact(source: Source, work: Path, asked: Asked, watched: Watched) -> Artifact:
    if asked.form == "adapter" and source.adapter is not None:
        return source.adapter
    if source.whole is not None:
        return source.whole
    watched.say("merging the adapter into its base model")
    return merged(source, work)


def _lay_out(
    source: Source, artifact: Artifact, folder: Path, asked: Asked, watched: Watched
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The form's own files; what there is to say of them comes with them."""
    if asked.form == "gguf":
        return _as_gguf(source, artifact, folder, asked, watched)
    files = laid_down(artifact, folder, asked.shard_size, watched.tell)
    if asked.leaves and source.plan.job.model.local:
        files |= _nameless(folder)
    if asked.form != "ollama":
        return files, ()
    from ftctl.export.for_ollama import add_modelfile

    more, notes = add_modelfile(source, folder)
    return files | more, notes


def _as_gguf(
    source: Source, artifact: Artifact, folder: Path, asked: Asked, watched: Watched
) -> tuple[dict[str, str], tuple[str, ...]]:
    from ftctl.export.for_gguf import convert

    model = folder / WORK / "model"
    model.mkdir(parents=True)
    laid_down(artifact, model, None, watched.tell)
    watched.say("converting to GGUF")
    return convert(source, model, folder, asked.gguf_type)


def _nameless(folder: Path) -> dict[str, str]:
    """Take the base model's folder out of an adapter's configuration; its name is left."""
    file = folder / "adapter_config.json"
    if not file.is_file():
        return {}
    config = read_json(file)
    base = PurePath(str(config.get("base_model_name_or_path") or "")).name
    return put(folder, file.name, json.dumps({**config, "base_model_name_or_path": base}, indent=2) + "\n")


def laid_down(artifact: Artifact, folder: Path, limit: int | None, tell: Tell) -> dict[str, str]:
    """Copy an artifact's files, its whole weights in files of at most `limit` bytes; sha256 by name."""
    names = parts(artifact.path, artifact.hashes)
    written: dict[str, str] = {}
    if limit is not None and artifact.kind == "model":
        weights = read_weights(artifact.path)
        written = shards.write(weights, artifact.hashes, folder, limit, tell)
        replaced = {INDEX, *(path.name for path in weights)}
        names = {name: found for name, found in names.items() if name not in replaced}
    for name, expected in names.items():
        written[name] = copy(artifact.path / name, folder / name, expected, tell)
    return written
