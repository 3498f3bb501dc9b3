"""Has a served model answer tasks of lm-evaluation-harness, and adds what comes of them to its figures."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ftctl.deployments.store import Entry
from ftctl.errors import FtctlError
from ftctl.job.model import Evaluate
from ftctl.judge.ask_chat import Endpoint
from ftctl.judge.evaluate import FIGURES, read, write
from ftctl.judge.scored import Figures
from ftctl.judge.scoring import read_figures
from ftctl.judge.tasks import LIBRARY, Task, figures_of, name_of, output_of
from ftctl.paths import PACKAGE
from ftctl.program import followed
from ftctl.record import to_record

PROGRAM = PACKAGE / "inside" / "run_tasks.py"
ASKING, LOG = "tasks.json", "tasks.log"

Tell = Callable[[str, int, int], None]  # told: which task, how many are done, of how many


def ask_tasks(
    folder: Path, block: Evaluate, endpoint: Endpoint, tokenizer: str, identity: Mapping[str, Any],
    python: Path, tell: Tell,
) -> None:  # fmt: skip
    """Ask every task that has no result yet in `folder`, and add the figures of all to `figures.json`.

    `python` is lm-eval's interpreter; `tokenizer` the model's folder or Hub id, of which tasks that ask how
    likely an answer is need the tokenizer. Raises FtctlError where a task cannot be asked to its end: it has
    no figures then.
    """
    places = {place: task for task in block.tasks for place in [folder / _output(task, block, identity)]}
    failed: FtctlError | None = None
    if not all(place.is_file() for place in places):
        request = _request(places, block, endpoint, tokenizer)
        try:
            _run(folder, request, endpoint, python, tell)
        except FtctlError as error:
            failed = error
    add(folder, {place: name_of(task) for place, task in places.items()}, failed)
    if failed is not None:
        raise failed


def done(folder: Path, block: Evaluate, identity: Mapping[str, Any]) -> bool:
    """Whether every task that is asked for has a result in `folder`."""
    return all((folder / _output(task, block, identity)).is_file() for task in block.tasks)


def tokenizer_of(entry: Entry) -> str:
    """Where the tokenizer of a deployment's model is: of an adapter's base, or of the model itself."""
    return entry.deployment.base or entry.deployment.artifact


def _output(task: Task, block: Evaluate, identity: Mapping[str, Any]) -> str:
    return output_of(task, content(task["include"]), identity, block.system)


def content(folder: str | None) -> str:
    """A hash over all files of a folder of tasks; "" where there is none."""
    if folder is None:
        return ""
    digest = hashlib.sha256()
    for path in sorted(Path(folder).rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(folder)}\0{path.stat().st_size}\0".encode())
            with open(path, "rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _request(
    places: Mapping[Path, Task], block: Evaluate, endpoint: Endpoint, tokenizer: str
) -> dict[str, Any]:  # fmt: skip
    entries = [{**task, "name": name_of(task), "output": str(place)} for place, task in places.items()]
    return {
        "address": endpoint.address,
        "ca": None if endpoint.ca is None else str(endpoint.ca),
        "model": endpoint.model,
        "tokenizer": tokenizer,
        "system": block.system,
        "concurrency": block.concurrency,
        "retries": block.retries,
        "timeout": block.timeout,
        "max_length": None,
        "entries": entries,
    }


def _run(folder: Path, request: Mapping[str, Any], endpoint: Endpoint, python: Path, tell: Tell) -> None:
    place = folder / ASKING
    place.write_text(json.dumps(request, ensure_ascii=False), encoding="utf-8")

    def told(said: Mapping[str, Any]) -> None:
        if "doing" in said:
            tell(str(said["doing"]), int(said["done"]), int(said["total"]))

    # The key stands in the environment alone: a command line is seen by everyone on the machine.
    env = {"OPENAI_API_KEY": endpoint.key, "TOKENIZERS_PARALLELISM": "false"}
    argv = (str(python), str(PROGRAM), str(place))
    followed(argv, log=folder / LOG, tell=told, what="asking the tasks of lm-eval", env=env)
    place.unlink()


def add(folder: Path, places: Mapping[Path, str], failed: FtctlError | None) -> None:
    """Put the figures of the results at `places` beside those of the questions; `failed` says why some are
    missing."""
    known = read_figures(folder) if (folder / FIGURES).is_file() else Figures({})
    figures = {name: one for name, one in known.figures.items() if not one.library.startswith(LIBRARY)}
    missing = dict(known.missing)
    for place, name in places.items():
        if place.is_file():
            figures.update(figures_of(read(place)))
        else:
            missing[name] = "the task was not asked to its end" if failed is None else failed.message
    write(folder / FIGURES, to_record(replace(known, figures=figures, missing=missing)))
