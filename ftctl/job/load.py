"""A job file, read and checked: the one way in."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from ftctl.engine_schema.arguments import with_whole_numbers
from ftctl.engine_schema.check import native_problems
from ftctl.engine_schema.files import engine_schema
from ftctl.engine_schema.table import engine_of
from ftctl.errors import JobError, UsageError, of_kind, shown_text
from ftctl.job import environment, normalise, override
from ftctl.job.check import look
from ftctl.job.doubt import Draft, doubted, silenced, without
from ftctl.job.dummy import for_dummies
from ftctl.job.files import FILES, is_dir, missing
from ftctl.job.model import Job
from ftctl.job.node import Node, Place, dotted, lookup, problem, value_place, values, walk
from ftctl.job.shape import inline, whole
from ftctl.job.yaml12 import compose
from ftctl.job.yaml_text import MAX_BYTES, decode
from ftctl.paths import bundled

# Stands for what a job cannot do without: a Hub id that there is not.
_UNKNOWN = {"name": "?", "model": "?"}


def load(path: Path, overrides: tuple[str, ...] = (), *, environ: Mapping[str, str] = os.environ) -> Job:
    """The job in a file, with `--set` overrides applied and `${env:NAME}` references resolved.

    Raises JobError with every problem: of the file, of each key, and local files that are not there.
    """
    found = draft(path, overrides, environ=environ)
    if found.problems:
        raise JobError(found.problems)
    return found.job


def draft(
    path: Path,
    overrides: tuple[str, ...] = (),
    *,
    gpus: str | None = None,
    environ: Mapping[str, str] = os.environ,
    origin: Path | None = None,
    text: str | None = None,
) -> Draft:
    """What can be read of the job in a file, and every problem that `load` finds.

    `origin` is the file that `path` is a copy of: its folder is the one that paths are relative to. `text` is
    what stood in the file, where that is known.

    `gpus` is `--gpus`: a count, indices, or all. Raises JobError where there is no job to read: no file, no
    YAML, or no mapping; UsageError where `--gpus` and the job's own GPUs disagree.
    """
    shown = shown_text(str(path))
    text = _read(path, shown) if text is None else text
    root, problems = compose(text, shown)
    schema = job_schema()
    if root is None or root.value is None:
        remedy = "write one with `ftctl init`"
        empty = problem(Place(shown), (), "the job file is empty", remedy)
        raise JobError(of_kind("yaml", [*problems, empty]))
    root, overriding = override.apply(root, overrides, schema)
    root, unresolved = environment.resolve(root, schema, environ)
    problems += of_kind("override", overriding) + of_kind("environment", unresolved)
    if gpus is not None:
        setting = _gpus_setting(root, gpus, schema)
        root, overriding = override.apply(root, (setting,), schema)
        problems, overrides = problems + of_kind("override", overriding), (*overrides, setting)
    origin = origin or path
    folder = normalise.Folder(
        origin.absolute().parent.resolve(), Path(environ.get("HOME") or Path.home()), is_dir
    )
    told = {(fault.file, fault.line, fault.column) for fault in problems}
    checked, looked_at = look(root, schema)
    found = (
        *checked,
        *of_kind("native", native_problems(root, engine_schema, schema)),
        *of_kind("path", missing(root, folder)),
    )
    problems += tuple(fault for fault in found if (fault.file, fault.line, fault.column) not in told)
    if not problems:
        return Draft(replace(job_of(root, path, text, overrides, folder), file=origin.absolute()))
    if not isinstance(root.value, dict):
        raise JobError(problems)
    # A wrong key goes also where something else was said of its place.
    left = values(without(root, (*problems, *found), schema))
    job = job_of(root, path, text, overrides, folder, document={**_UNKNOWN, **left})
    job = replace(job, silence=(*job.silence, *silenced(problems)))
    return Draft(job, problems, doubted(problems, looked_at))


def _gpus_setting(root: Node, gpus: str, schema: dict[str, Any]) -> str:
    """`--gpus` as an override. Raises UsageError where the document says otherwise."""
    setting = f"resources.gpus={f'[{gpus}]' if ',' in gpus else gpus}"
    own = lookup(values(root), ("resources", "gpus"))
    asked, _ = override.apply(Node({}, Place("")), (setting,), schema)
    if own is not None and own != lookup(values(asked), ("resources", "gpus")):
        raise UsageError(
            f"--gpus {gpus} and resources.gpus: {own} disagree",
            "leave one out; --set resources.gpus=… overrides the job file",
        )
    return setting


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
    raise JobError(of_kind("unreadable", [problem(Place(shown), (), message, remedy)]))


def job_of(
    root: Node,
    path: Path,
    text: str,
    overrides: tuple[str, ...],
    folder: normalise.Folder,
    *,
    document: dict[str, Any] | None = None,
) -> Job:
    """The job of a checked document that stands in `path`, with what its dummies make of it; `document` is
    what is right of another."""
    document = _whole(values(root) if document is None else document)
    shown = shown_text(str(path))
    places = dict(_places(root, shown))
    job = Job(
        name=document["name"],
        model=normalise.model_of(document["model"], folder),
        data=normalise.data_of(document["data"], folder) if "data" in document else None,
        train=normalise.train_of(document["train"], folder) if "train" in document else None,
        resources=normalise.resources_of(document.get("resources", {})),
        deploy=normalise.deploy_of(document["deploy"], folder) if "deploy" in document else None,
        evaluate=normalise.evaluate_of(document["evaluate"], folder) if "evaluate" in document else None,
        file=path.absolute(),
        source=text,
        overrides=overrides,
        silence=tuple(document.get("silence") or ()),
        places=places,
        written=frozenset(key for key, _ in _written(root)),
        shown=shown,
    )
    return for_dummies(job)


def _whole(document: dict[str, Any]) -> dict[str, Any]:
    """The document with whole numbers as such, native arguments by the schema of their engine."""
    document = whole(document, job_schema())
    for block in ("train", "deploy"):
        native = document.get(block, {}).get("native")
        schema = engine_schema(engine_of(document, block)[0]) if native else None
        if schema is not None:
            words = with_whole_numbers(native, schema, words=block == "deploy")
            document[block] = {**document[block], "native": words}
    return document


def _written(root: Node) -> Iterator[tuple[str, Place]]:
    """Every dotted key that is written, short forms also under the key of their long form."""
    for path, node in walk(root):
        if not path:
            continue
        key, place = dotted(path), value_place(root, path)
        yield key, place
        if path in FILES and isinstance(node.value, str):
            yield from ((f"{key}[0]", place), (f"{key}[0].path", place))
        elif isinstance(node.value, str) and (path == ("model",) or isinstance(path[-1], int)):
            yield f"{key}.path", place


def _places(root: Node, source: str) -> Iterator[tuple[str, tuple[int, int]]]:
    for key, place in _written(root):
        if place.source == source:
            yield key, (place.line, place.column)
