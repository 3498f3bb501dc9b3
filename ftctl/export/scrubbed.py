"""What of a job may leave the machine: no path of it, no address, no secret, nothing that is a default."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from ftctl.job.model import Job, Resources
from ftctl.job.training import Train
from ftctl.record import to_record

PATH = re.compile(r"(?<![\w.:/])(?:~|\.{1,2})?(?:/[^\s/\"',;:]+)+/?|(?<!\w)file://\S+")
ADDRESS = re.compile(r"\b[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)
SECRET = re.compile(r"(?:^|[_-])(?:key|token|secrets?|passwords?|passwd|credentials?|auth)$", re.IGNORECASE)
TOKEN = re.compile(r"\b(?:hf|sk|gh[opsu]|glpat|AKIA|xox[abp])[-_]?[A-Za-z0-9_-]{16,}")
REFERENCE = re.compile(r"\$\{[^}]*\}")
PRIVATE = frozenset({"engine_python", "tracking", "report_to", "stall_timeout", "max_restarts", "launcher"})


def job_of(job: Job, method: str | None) -> dict[str, Any]:
    """The job's keys that made the model, as a job file writes them; how it was served is left out.

    `method` is the one that it was trained by, where the job leaves it open.
    """
    found: dict[str, Any] = {"name": job.name, "model": _model(job)}
    if job.data is not None:
        found["data"] = _block(job.data, {"mix": "concat"})
    if job.train is not None:
        train = replace(job.train, method=method or job.train.method)
        found["train"] = _block(train, to_record(Train()), always=("task", "method", "epochs", "seed"))
    found["resources"] = _block(job.resources, to_record(Resources()))
    return {key: value for key, value in found.items() if value}


def _model(job: Job) -> dict[str, Any]:
    model = {key: value for key, value in to_record(job.model).items() if key != "local"}
    if job.model.local:
        model["path"] = PurePath(job.model.path).name
    if model["hub"] == "huggingface":
        del model["hub"]
    # A Hub id has a slash and is no path of the machine.
    path = model.pop("path")
    return {"path": path, **_kept(model)}


def _block(block: object, defaults: Mapping[str, Any], always: tuple[str, ...] = ()) -> dict[str, Any]:
    record = to_record(block)
    changed = {key: value for key, value in record.items() if key in always or value != defaults.get(key)}
    return _kept(changed)


def _kept(record: Mapping[str, Any]) -> dict[str, Any]:
    found = {key: scrubbed(value, key) for key, value in record.items() if key not in PRIVATE}
    return {key: value for key, value in found.items() if _said(value)}


def _said(value: Any) -> bool:
    """Whether a value says anything: 0 does."""
    return value is not None and value is not False and value not in ("", [], {})


def scrubbed(value: Any, key: str = "") -> Any:
    """A value without what belongs to the machine: of a path its last name is left, of a secret nothing."""
    if SECRET.search(key):
        return None
    if isinstance(value, str):
        return text(value)
    if isinstance(value, Mapping):
        return _kept(value)
    if isinstance(value, list | tuple):
        return [scrubbed(one) for one in value]
    return value


def text(value: str) -> str:
    """A text without paths of the machine, addresses and references to its environment."""
    said = REFERENCE.sub("…", value)
    said = TOKEN.sub("…", ADDRESS.sub("…", said))
    return PATH.sub(lambda found: PurePath(found[0]).name, said)
