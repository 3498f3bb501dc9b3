"""Collect what a training left: verified and recorded once, for as long as its files stay as they are."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ftctl.artifacts.model import Artifact
from ftctl.errors import FtctlError
from ftctl.plan.model import Plan
from ftctl.record import from_record
from ftctl.run.directory import RunDir
from ftctl.run.records import plan_of
from ftctl.trainers.table import trainer_of

STAMP = "artifact_files.json"


def collected(run: RunDir) -> Artifact | None:
    """What an earlier attempt has verified; None where it did not, or where a file has changed since."""
    record, before = run.read_json("artifact.json"), run.read_json(STAMP)
    if record is None or before is None:
        return None
    artifact = from_record(Artifact, record)
    return artifact if before == stamp(artifact.path) else None


def stamp(folder: Path) -> dict[str, Any]:
    """The folder and, by name, the size in bytes and the time of change in ns of every file directly in it.

    Whether an artifact is still the one that was hashed is seen by it without reading gigabytes again.
    """
    files = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.is_file():
            seen = path.stat()
            files[path.name] = [seen.st_size, seen.st_mtime_ns]
    return {"folder": str(folder), "files": files}


def collect(run: RunDir) -> Artifact:
    """Verify what the training left and record it. Raises FtctlError where it is not complete."""
    from ftctl.artifacts.verify import verify_adapter, verify_model

    run.emit("phase", {"name": "collect", "state": "started"})
    began = time.monotonic()
    plan = plan_of(run)
    found: Mapping[str, Path] = trainer_of(plan).results(plan)
    adapter = found.get("adapter")
    whole = found.get("merged", found.get("model"))
    artifact = None
    if adapter is not None:
        _carry_template(run, adapter)
        artifact = verify_adapter(run.path / adapter, plan.job.model.path)
        run.write_json("adapter.json", artifact)
        run.emit("artifact", {"kind": artifact.kind, "path": str(adapter)})
    if whole is not None:
        _carry_template(run, whole)
        _describe(run.path / whole, plan)
        artifact = verify_model(run.path / whole)
        run.emit("artifact", {"kind": artifact.kind, "path": str(whole)})
    if artifact is None:
        raise FtctlError("the trainer names no result", "this is a fault of its module")
    run.write_json("artifact.json", artifact)
    run.write_json(STAMP, stamp(artifact.path))
    run.emit("phase", {"name": "collect", "state": "done", "seconds": round(time.monotonic() - began, 3)})
    return artifact


def _carry_template(run: RunDir, folder: Path) -> None:
    """Put what the model was trained to see beside its weights, and mend what would show it otherwise."""
    from ftctl.artifacts.chat_template import TRAINED, mended

    trained = run.read_json(TRAINED)
    if trained is None:  # no language model, or one that learns no conversations
        return
    run.write_json(f"{folder}/{TRAINED}", trained)
    for name, content, told in mended(run.path / folder, trained):
        run.write(f"{folder}/{name}", content)
        run.emit("template", {"state": "written", "path": f"{folder}/{name}", "message": told})


def _describe(folder: Path, plan: Plan) -> None:
    """Write what an embedder or a reranker is beside its weights: every reader has another default."""
    if plan.train is None or plan.train.retrieval is None:
        return
    from ftctl.artifacts.sentence_transformers import describe

    describe(folder, plan.train.retrieval)
