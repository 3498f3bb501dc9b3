"""Evaluates one served model: lays its questions out, has them answered, and counts its figures.

Everything is in one folder, and what is there already is not done again: the same questions, sampling and
model go on where a kill or a stop has ended them.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ftctl.errors import FtctlError, UsageError
from ftctl.job.model import Dataset, Evaluate, Job
from ftctl.judge.ask_chat import PREDICTIONS, Endpoint, Manner, Tell, ask
from ftctl.judge.question_files import LaidOut, lay_out
from ftctl.judge.scoring import counting, metrics_of
from ftctl.record import to_record
from ftctl.run.find import find
from ftctl.trainers.parted import place

REQUEST = "request.json"
COUNTED = ("figures.json", "scores.jsonl", "statistics.npz")
FIGURES = COUNTED[0]
EVALUATIONS = "evaluations"
COMPARISON = "comparison.json"
BASE, TUNED, TEST = "base", "tuned", "test"


@dataclass(frozen=True)
class Wanted:
    """What is evaluated: `files` are the questions' files, at most `limit` rows are asked."""

    block: Evaluate
    files: tuple[Dataset, ...]
    limit: int | None = None


@dataclass(frozen=True)
class Model:
    """Which model it is: `name` is the evaluation's, `identity` what its answers follow from, questions and
    sampling aside: files' hashes and engine."""

    name: str
    identity: Mapping[str, Any]


def wanted_of(job: Job, run: Path | None = None) -> Wanted | None:
    """What a job asks of its model; None where it asks nothing of a language model.

    Rows of the training files that are held out (a share in data.test) lie in the `run` that holds them out.
    """
    if job.evaluate is None:
        return None
    data = job.data
    files = job.evaluate.data or (data.test if data is not None else ())
    if not files and run is not None and data is not None and data.test_share:
        files = tuple(
            replace(dataset, path=run / place(TEST, number), max_samples=None, weight=None)
            for number, dataset in enumerate(data.train)
        )
    return Wanted(job.evaluate, files) if files or job.evaluate.tasks else None


def begin(folder: Path, wanted: Wanted, model: Model) -> dict[str, Any]:
    """Lay the questions out in `folder` and record what is asked; answers to anything else are removed.

    Returns the request. Raises FtctlError where a row cannot be asked.
    """
    folder.mkdir(parents=True, exist_ok=True)
    block = wanted.block
    laid = LaidOut(0, "", ())  # where tasks alone are asked
    if wanted.files:
        laid = lay_out(wanted.files, folder, system=block.system, limit=wanted.limit)
    asked = {"questions": laid.digest, "system": block.system, "sampling": dict(block.sampling)}
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    before = read(folder / REQUEST)
    same = before.get("digest") == digest and before.get("identity") == dict(model.identity)
    if not same:
        for name in (PREDICTIONS, *COUNTED):
            (folder / name).unlink(missing_ok=True)
    request = {
        "version": 1,
        "model": model.name,
        "address": None,
        "data": list(laid.data),
        "rows": laid.rows,
        "system": block.system,
        "sampling": dict(block.sampling),
        "digest": digest,
        "identity": dict(model.identity),
        "metrics": to_record(block.metrics),
        "counting": counting(metrics_of(block.metrics)),
        "max_errors": block.max_errors,
        "tasks": to_record(block.tasks),
        "began": before["began"] if same else datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": before.get("seconds", 0.0) if same else 0.0,
        "counted": before.get("counted") if same else None,
    }
    write(folder / REQUEST, request)
    return request


def answer(
    folder: Path, request: Mapping[str, Any], endpoint: Endpoint, block: Evaluate, python: Path, tell: Tell
) -> str:
    """Have every question answered that has no good answer yet; why the server was given up, if it was.

    How long it took is added to the request's `seconds`, whatever ends it. Raises Interrupted, FtctlError.
    """
    manner = Manner(block.sampling, block.concurrency, block.retries, block.timeout)
    record = {**request, "address": endpoint.address}
    write(folder / REQUEST, record)
    asked, began = None, time.monotonic()
    try:
        asked = ask(folder, int(request["rows"]), endpoint, manner, python, tell)
    finally:
        took = time.monotonic() - began if asked is None else asked.seconds
        write(folder / REQUEST, {**record, "seconds": round(float(request["seconds"]) + took, 3)})
    return asked.gone


def complete(folder: Path) -> bool:
    """Whether every question has a good answer and every metric could be counted of them."""
    figures = read(folder / FIGURES)
    answers = figures.get("answers") or {}
    failed = answers.get("errors") or figures.get("unscored")
    return bool(answers) and not failed and answers.get("asked") == read(folder / REQUEST)["rows"]


def check_errors(folder: Path, block: Evaluate, why: str) -> None:
    """Raises FtctlError where more questions than the job allows have got no answer."""
    answers = read(folder / FIGURES).get("answers") or {}
    asked, errors = int(answers.get("asked") or 0), int(answers.get("errors") or 0)
    if errors > block.max_errors * asked:
        what = f"{errors} of {asked} questions got no answer{f': {why}' if why else ''}"
        raise FtctlError(what, f"{folder / PREDICTIONS} says why; run it again, and only these are asked")


def read(place: Path) -> dict[str, Any]:
    """A record of an evaluation; empty where it is not there."""
    try:
        value = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def write(place: Path, value: Mapping[str, Any]) -> None:
    """Put a record there, whole or not at all."""
    temporary = place.with_name(f".{place.name}.{os.getpid()}")
    temporary.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    temporary.replace(place)


def evaluation_of(run: str) -> Path:
    """The folder of another run's evaluation. Raises UsageError where there is none."""
    folder = find(run) / EVALUATIONS / TUNED
    if not (folder / FIGURES).is_file():
        raise UsageError(f"the run {run} has not been evaluated", f"ftctl evaluate {run} does it")
    return folder
