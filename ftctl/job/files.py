"""The local files and folders that a job names: are they there?"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ftctl.errors import Problem
from ftctl.job import node as tree
from ftctl.job.node import Node, lookup, problem, value_place
from ftctl.job.normalise import Folder, hub_fault, is_local

FILES = (("data", "train"), ("data", "eval"), ("data", "test"), ("evaluate", "data"))  # keys that name rows
_HERE = "paths start at the job file's folder"
Said = tuple[str, str]


def is_dir(path: Path) -> bool:
    """Whether a folder is there; `Path.is_dir` raises on a name that is too long or may not be looked at."""
    return os.path.isdir(path)  # noqa: PTH112 - see above


def is_file(path: Path) -> bool:
    """Whether a file is there; raises nothing, as `is_dir`."""
    return os.path.isfile(path)  # noqa: PTH113 - see is_dir


def missing(root: Node, folder: Folder) -> Iterator[Problem]:
    """A problem for every path that leads nowhere; values of a wrong type are left to the check."""
    document = tree.values(root)
    for path, said in _missing(document, folder):
        yield problem(value_place(root, path), path, *said)


def _missing(document: Any, folder: Folder) -> Iterator[tuple[tree.Path, Said]]:
    for path, written in _written(document, ("model",)):
        if said := _model_fault(written, folder):
            yield path, said
    for key in FILES:
        for path, written in _written(document, key):
            if said := _rows_fault(folder.path(written)):
                yield path, said
    yield from _tasks(document, folder)
    for block in ("train", "deploy", "evaluate"):
        python = lookup(document, (block, "engine_python"))
        if isinstance(python, str) and python and not is_file(folder.path(python)):
            remedy = "name a Python interpreter, such as env/bin/python"
            yield (block, "engine_python"), (f"there is no file {folder.path(python)}", remedy)


def _tasks(document: Any, folder: Folder) -> Iterator[tuple[tree.Path, Said]]:
    """The folders of lm-eval's tasks that are not there."""
    tasks = lookup(document, ("evaluate", "tasks"))
    for number, task in enumerate(tasks if isinstance(tasks, list) else ()):
        inner = isinstance(task, dict)
        written = task.get("include") if inner else task
        if isinstance(written, str) and written and (inner or written.endswith("/")):
            path = ("evaluate", "tasks", number, *(("include",) if inner else ()))
            if not is_dir(folder.path(written)):
                yield path, (f"there is no folder {folder.path(written)}", _HERE)


def _written(document: Any, path: tree.Path) -> Iterator[tuple[tree.Path, str]]:
    """Every path that is written at a key, in its short form, its long one, or a list of these."""
    value = lookup(document, path)
    if isinstance(value, list):
        for index in range(len(value)):
            yield from _written(document, (*path, index))
    elif isinstance(value, dict):
        yield from _written(document, (*path, "path")) if path[-1] != "path" else ()
    elif isinstance(value, str) and value:
        yield path, value


def _model_fault(written: str, folder: Folder) -> Said | None:
    place = folder.path(written)
    if not is_local(written, folder):
        return hub_fault(written)
    if not is_dir(place):
        return f"there is no folder {place}", f"{_HERE}; a Hub id is owner/name"
    if not any(is_file(place / name) for name in ("config.json", "adapter_config.json")):
        message = f"the folder {place} holds no model: it has no config.json"
        return message, "name the folder that has the weights"
    return None


def _rows_fault(place: Path) -> Said | None:
    if is_dir(place):
        return f"{place} is a folder", "name the JSON or JSONL files in it"
    return None if is_file(place) else (f"there is no file {place}", _HERE)
