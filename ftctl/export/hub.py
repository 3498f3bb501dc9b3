"""Uploading an export to a Hub: laid out in a folder beside us, then sent by the engine's huggingface_hub."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftctl.errors import FtctlError, Missing, UsageError
from ftctl.export.make import Asked, Exported, Watched, check_source, fill, room
from ftctl.export.place import check_room, staged
from ftctl.export.source import Source
from ftctl.job.environment import expand
from ftctl.process import start, stop_session
from ftctl.rendered import environment
from ftctl.trainers.start import INSIDE

PROGRAM = INSIDE / "upload_to_hub.py"
REPO = re.compile(r"(?:[A-Za-z0-9][\w.-]*/)?[A-Za-z0-9][\w.-]*")
REFERENCE = re.compile(r"\$\{env:\w+\}")
TRUE = ("1", "true", "yes", "on")
REMEDIES = {
    "taken": "replace the earlier export with --force, or name another repository",
    "other": "name another repository: nothing but an earlier export is ever replaced",
    "public": "say so with --public, or name another repository",
    "token": "set HF_TOKEN to a token that may write, or name its variable: --token '${env:NAME}'",
    "unreachable": "check the network and HF_ENDPOINT, and try again",
    "refused": "see what the Hub said above",
}


@dataclass(frozen=True)
class Upload:
    """Where to and as whom: `token` is a reference such as ${env:HF_TOKEN}, None: the environment's."""

    repo: str
    public: bool = False
    token: str | None = None


@dataclass(frozen=True)
class Uploaded:
    """What was uploaded, and where it is now."""

    made: Exported
    url: str
    commit: str


def check_upload(upload: Upload, source: Source, environ: Mapping[str, str], *, offline: bool) -> Path:
    """The interpreter that uploads. Raises UsageError for what cannot be, Missing where it is not there."""
    if REPO.fullmatch(upload.repo) is None:
        raise UsageError(f"{upload.repo} is no repository of a Hub", "write OWNER/NAME")
    if offline or environ.get("HF_HUB_OFFLINE", "").lower() in TRUE:
        raise UsageError("a Hub cannot be reached offline", "leave out --offline and unset HF_HUB_OFFLINE")
    token_of(upload, environ)
    engine = source.plan.facts.trainer
    if engine is None or not engine.python.is_file():
        name = engine.name if engine is not None else "llamafactory"
        raise Missing(
            "the engine whose huggingface_hub uploads is not installed", f"ftctl engines install {name}"
        )
    return engine.python


def token_of(upload: Upload, environ: Mapping[str, str]) -> str | None:
    """The token that a reference stands for. Raises UsageError for a plain token: `ps` would show it."""
    if upload.token is None:
        return None
    if REFERENCE.fullmatch(upload.token) is None:
        raise UsageError(
            "--token takes a reference, never the token itself", "write --token '${env:HF_TOKEN}'"
        )
    token, faults = expand(upload.token, environ)
    if faults:
        raise UsageError(f"--token: {faults[0][0]}", "set it where ftctl runs")
    return token


def export_to_hub(
    source: Source, upload: Upload, asked: Asked, watched: Watched, *, offline: bool = False
) -> Uploaded:
    """Lay the export out in a folder that is removed again, and upload it. Raises FtctlError's family."""
    python = check_upload(upload, source, os.environ, offline=offline)
    check_source(source, asked)
    here = Path(f"{source.name}-hub")
    check_room(here, room(source, asked))
    with staged(here) as folder:
        place = folder / "model"
        place.mkdir()
        made = fill(source, place, asked, watched)
        watched.say(f"uploading to {upload.repo}")
        answer = _run(python, place, upload, asked, source)
    if "problem" in answer:
        kind = str(answer["problem"])
        raise FtctlError(f"nothing was uploaded: {answer['message']}", REMEDIES[kind])
    return Uploaded(made, str(answer["url"]), str(answer["commit"]))


def _run(python: Path, folder: Path, upload: Upload, asked: Asked, source: Source) -> dict[str, Any]:
    """Run the program that uploads to its end; its last line."""
    message = f"Run {source.run.path.name} of {source.name}, exported by ftctl"
    argv = [str(python), str(PROGRAM), str(folder), upload.repo, message]
    argv += ["--public"] * upload.public + ["--force"] * asked.force
    changes: dict[str, str | None] = {"PYTHONPATH": None, "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    token = token_of(upload, os.environ)
    if token is not None:
        changes["HF_TOKEN"] = token
    log = folder.parent / "upload.log"
    child, process = start(argv, cwd=folder.parent, env=environment(os.environ, changes), log=log)
    try:
        code = child.wait()
    finally:
        stop_session(process, grace=2.0)
        child.wait()
    lines = log.read_text(errors="replace").strip().splitlines()
    if code or not lines:
        raise FtctlError("the upload failed: " + "\n".join(lines[-5:]), REMEDIES["unreachable"])
    answer: dict[str, Any] = json.loads(lines[-1])
    return answer
