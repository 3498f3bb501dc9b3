"""A job file, read and checked: the one way in."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ftctl.errors import JobError, Problem
from ftctl.job import environment, normalise, override
from ftctl.job.check import check
from ftctl.job.model import Job, problem_at
from ftctl.job.node import Node, Place, dotted, problem, value_place, values, walk
from ftctl.job.shape import inline, whole
from ftctl.job.yaml12 import compose
from ftctl.job.yaml_text import MAX_BYTES, decode
from ftctl.paths import bundled


def load(path: Path, overrides: tuple[str, ...] = (), *, environ: Mapping[str, str] = os.environ) -> Job:
    """The job in a file, with `--set` overrides applied and `${env:NAME}` references resolved.

    Raises JobError with every problem: of the file, of each key, and local files that are not there.
    """
    shown = str(path)
    text = _read(path, shown)
    root, problems = compose(text, shown)
    schema = job_schema()
    if root is None or root.value is None:
        remedy = "write one with `ftctl init`"
        raise JobError([*problems, problem(Place(shown), (), "the job file is empty", remedy)])
    root, overriding = override.apply(root, overrides, schema)
    root, unresolved = environment.resolve(root, schema, environ)
    problems += overriding + unresolved
    faults = {(fault.file, fault.line, fault.column) for fault in problems}
    problems += tuple(
        fault for fault in check(root, schema) if (fault.file, fault.line, fault.column) not in faults
    )
    if problems:
        raise JobError(problems)
    job = _job(root, path, text, overrides, Path(environ.get("HOME") or Path.home()))
    if missing := tuple(_missing(job)):
        raise JobError(missing)
    return job


@cache
def job_schema() -> dict[str, Any]:
    """`schemas/job.schema.json`, without references."""
    return inline(json.loads((bundled("schemas") / "job.schema.json").read_bytes()))


def _read(path: Path, shown: str) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        message, remedy = "there is no such file", "write one with `ftctl init`"
    except IsADirectoryError:
        message, remedy = "this is a folder", "name the job file in it"
    except ValueError:
        message, remedy = "the file's name holds a NUL character", ""
    except OSError as error:
        message, remedy = f"the file cannot be read: {error.strerror}", ""
    else:
        return decode(data, shown)
    raise JobError([problem(Place(shown), (), message, remedy)])


def _job(root: Node, path: Path, text: str, overrides: tuple[str, ...], home: Path) -> Job:
    document = whole(values(root), job_schema())
    file = path.absolute()
    folder = normalise.Folder(file.parent, home, Path.is_dir)
    places = dict(_places(root, str(path)))
    return Job(
        name=document["name"],
        model=normalise.model_of(document["model"], folder),
        data=normalise.data_of(document["data"], folder) if "data" in document else None,
        train=normalise.train_of(document["train"], folder) if "train" in document else None,
        resources=normalise.resources_of(document.get("resources", {})),
        deploy=normalise.deploy_of(document["deploy"], folder) if "deploy" in document else None,
        file=file,
        source=text,
        overrides=overrides,
        places=places,
        written=frozenset(key for key, _ in _written(root)),
        shown=str(path),
    )


def _written(root: Node) -> Iterator[tuple[str, Place]]:
    """Every dotted key that is written, short forms also under the key of their long form."""
    for path, node in walk(root):
        if not path:
            continue
        key, place = dotted(path), value_place(root, path)
        yield key, place
        if path in (("data", "train"), ("data", "eval")) and isinstance(node.value, str):
            yield from ((f"{key}[0]", place), (f"{key}[0].path", place))
        elif isinstance(node.value, str) and (path == ("model",) or isinstance(path[-1], int)):
            yield f"{key}.path", place


def _places(root: Node, source: str) -> Iterator[tuple[str, tuple[int, int]]]:
    for key, place in _written(root):
        if place.source == source:
            yield key, (place.line, place.column)


def _missing(job: Job) -> Iterator[Problem]:
    """Local files and folders that the job names and that are not there."""
    if job.model.local:
        yield from _missing_model(job)
    elif said := normalise.hub_fault(job.model.path):
        yield problem_at(job, "model.path", *said)
    for key, datasets in (("train", job.data.train), ("eval", job.data.eval)) if job.data else ():
        for index, dataset in enumerate(datasets):
            where = f"data.{key}[{index}].path"
            if dataset.path.is_dir():
                yield problem_at(
                    job, where, f"{dataset.path} is a folder", "name the JSON or JSONL files in it"
                )
            elif not dataset.path.is_file():
                yield problem_at(
                    job, where, f"there is no file {dataset.path}", "paths start at the job file's folder"
                )
    for block, settings in (("train", job.train), ("deploy", job.deploy)):
        python = settings.engine_python if settings else None
        if python is not None and not python.is_file():
            remedy = "name a Python interpreter, such as env/bin/python"
            yield problem_at(job, f"{block}.engine_python", f"there is no file {python}", remedy)


def _missing_model(job: Job) -> Iterator[Problem]:
    folder = Path(job.model.path)
    if not folder.is_dir():
        remedy = "paths start at the job file's folder; a Hub id is owner/name"
        yield problem_at(job, "model.path", f"there is no folder {folder}", remedy)
    elif not any((folder / name).is_file() for name in ("config.json", "adapter_config.json")):
        message = f"the folder {folder} holds no model: it has no config.json"
        yield problem_at(job, "model.path", message, "name the folder that has the weights")
