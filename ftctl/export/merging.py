"""Merging an adapter that was to be attached: by its trainer's own export, in a folder beside the run."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from ftctl.artifacts.chat_template import TRAINED, mended
from ftctl.artifacts.model import Artifact
from ftctl.artifacts.verify import verify_model
from ftctl.errors import FtctlError, Missing, UsageError
from ftctl.export.source import Source
from ftctl.process import start, stop_session
from ftctl.rendered import environment
from ftctl.run.directory import RunDir
from ftctl.trainers.table import trainer_of

LOG = "merge.log"


def merged(source: Source, work: Path) -> Artifact:
    """The run's adapter merged into its base, in a new folder below `work`.

    Raises UsageError where the engine cannot merge it, Missing where it is not installed, FtctlError where it
    fails.
    """
    plan = replace(source.plan, job=replace(source.plan.job, deploy=None))
    trainer = trainer_of(plan)
    step, place = trainer.render_merge(plan), trainer.results(plan).get("merged")
    if step is None or place is None or source.adapter is None:
        raise UsageError(
            f"{source.run.path.name} has no whole weights, and its engine merges none", "use --to adapter"
        )
    if not Path(step.argv[0]).is_file():
        raise Missing(
            f"the engine that merges is not installed: {trainer.NAME}",
            f"ftctl engines install {trainer.NAME}",
        )
    folder = RunDir(work)
    for name, content in step.files.items():
        folder.write(name, content)
    folder.link(source.adapter.path.name, source.adapter.path)
    _run(step.argv, work, environment(os.environ, step.env))
    carry_template(source, folder, work / place)
    return verify_model(work / place)


def _run(argv: tuple[str, ...], work: Path, env: dict[str, str]) -> None:
    """Run the engine to its end; it is ended with us."""
    child, process = start(argv, cwd=work, env=env, log=work / LOG)
    try:
        code = child.wait()
    finally:
        stop_session(process, grace=2.0)
        child.wait()
    if code:
        words = (work / LOG).read_text(errors="replace").strip().splitlines()[-5:]
        raise FtctlError("the adapter could not be merged; the engine's last words:\n" + "\n".join(words))


def carry_template(source: Source, folder: RunDir, place: Path) -> None:
    """Give merged weights the chat template that they were trained with."""
    trained = source.run.read_json(TRAINED)
    if trained is None:
        return
    folder.write_json(f"{place.name}/{TRAINED}", trained)
    for name, content, _ in mended(place, trained):
        folder.write(f"{place.name}/{name}", content)
