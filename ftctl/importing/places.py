"""Where a model and a file of the original lie, seen from the job file."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from ftctl.importing.draft import Draft
from ftctl.importing.source import Around
from ftctl.job.normalise import hub_fault


def seen(path: str, around: Around) -> str:
    """A path from the working folder, as the job file writes it."""
    if path.startswith(("/", "~", "$")) or not around.here:
        return path
    return str(PurePosixPath(around.here) / path)


def folder(path: str, around: Around) -> str:
    """A model's path or Hub id, as the job file writes it: a folder begins with `.`, `/` or `~`."""
    if path.startswith(("/", "~")):
        return path
    local = path.startswith(".") or around.is_dir(path) or hub_fault(path) is not None
    if not local or "://" in path or path.startswith("$"):
        return path
    moved = seen(path, around)
    return moved if moved.startswith((".", "/")) else f"./{moved}"


def model(draft: Draft, rest: dict[str, Any], around: Around) -> None:
    """The model's keys out of an engine's arguments; what cannot stand stays in `rest`."""
    path = str(rest.pop("model_name_or_path"))
    draft.set("name", around.stem)
    draft.set("model.path", folder(path, around), "model_name_or_path")
    for argument, key in (
        ("model_revision", "revision"),
        ("template", "template"),
        ("trust_remote_code", "trust_remote_code"),
    ):
        if argument not in rest or not draft.put(f"model.{key}", rest[argument], argument):
            continue
        # `main` is what a Hub serves by default.
        value = rest.pop(argument)
        if argument == "model_revision" and value == "main":
            del draft.job["model"]["revision"]
            draft.drop(argument, value, "the Hub's default")
