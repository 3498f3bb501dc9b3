"""What an import looks up: the file itself, and LLaMA-Factory's dataset_info.json near it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ftctl.errors import UsageError
from ftctl.importing.source import Around, Source, read
from ftctl.job.yaml_text import MAX_BYTES, decode

INFO = "dataset_info.json"
_MAX_INFO = 16 * MAX_BYTES


def source_of(file: Path) -> Source:
    """The file as a source. Raises UsageError where it cannot be read, JobError where it is no text."""
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "its name holds a NUL character"
        raise UsageError(f"{file} cannot be read: {why}", "name the config or script to import") from None
    return read(decode(data, str(file)), str(file))


def around_of(
    file: Path, job: Path, source: Source, *, info: Path | None, gpus: int | None, cwd: Path
) -> Around:
    """What lies around the file that is imported, seen from the job that is written.

    `cwd` is the absolute folder that the original's relative paths start at.
    """
    place = (cwd / job).parent
    written = source.document.get("dataset_dir", "data")
    found = info if info is not None else _near(cwd / file, cwd, written)
    here = os.path.relpath(cwd, place)
    return Around(
        stem=_name(file),
        dataset_info=None if found is None else _json(found),
        dataset_folder="" if found is None else os.path.relpath((cwd / found).parent, place),
        here="" if here == "." else here,
        is_dir=lambda path: _is_dir(cwd, path),
        gpus=gpus,
    )


def _name(file: Path) -> str:
    stem = file.absolute().name.split(".")[0] or file.stem
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._")[:64] or "job"


def _is_dir(cwd: Path, path: str) -> bool:
    try:
        return (cwd / path).is_dir()
    except (OSError, ValueError):
        return False  # too long a name, or one with a NUL


def _near(file: Path, cwd: Path, written: Any) -> Path | None:
    """dataset_info.json in the folder that the config names, or beside the config."""
    candidates = _candidates(file, cwd, written if isinstance(written, str) else "data")
    return next((path for path in candidates if path.is_file()), None)


def _candidates(file: Path, cwd: Path, folder: str) -> Iterator[Path]:
    if "\0" in folder or folder.startswith(("REMOTE:", "ONLINE")):
        return
    for base in (cwd, file.parent, *list(file.parent.parents)[:4]):
        yield base / folder / INFO
    yield file.parent / INFO


def _json(path: Path) -> Mapping[str, Any]:
    try:
        if path.stat().st_size > _MAX_INFO:
            raise UsageError(f"{path} is too large to be a {INFO}", "name another with --dataset-info")
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(
            f"{path} cannot be read as JSON: {error}", "name another with --dataset-info"
        ) from None
    if not isinstance(found, dict):
        raise UsageError(f"{path} is no {INFO}: it holds no mapping", "name another with --dataset-info")
    return found
