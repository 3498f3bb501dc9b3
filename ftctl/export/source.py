"""What is exported: a run that has ended with a verified result."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from ftctl.artifacts.dummy import is_dummy
from ftctl.artifacts.model import Artifact
from ftctl.errors import FtctlError, UsageError
from ftctl.plan.model import Plan
from ftctl.record import from_record
from ftctl.run.directory import RunDir
from ftctl.run.find import find
from ftctl.run.records import plan_of
from ftctl.run.state import ENDED, RunState, state_of


@dataclass(frozen=True)
class Source:
    """A run's result: `whole` are whole weights, `adapter` is a LoRA adapter; at least one is there."""

    run: RunDir
    state: RunState
    plan: Plan
    whole: Artifact | None
    adapter: Artifact | None

    @property
    def name(self) -> str:
        """The job's name."""
        return self.plan.job.name


def source_of(text: str) -> Source:
    """The result of the run that `text` names.

    Raises UsageError where there is no such run, where it has not ended or was a dummy's, and FtctlError
    where it left nothing that was verified.
    """
    path = find(text)
    run, state = RunDir(path), state_of(path)
    if state.state not in ENDED:
        raise UsageError(
            f"the run {path.name} has not ended: it is {state.state}", f"ftctl watch {path.name}"
        )
    record, adapter = run.read_json("artifact.json"), run.read_json("adapter.json")
    if record is None:
        raise FtctlError(
            f"the run {path.name} is {state.state} and left no verified result",
            f"ftctl resume {path.name} goes on with it; ftctl runs lists the others",
        )
    artifact = _placed(from_record(Artifact, record), path)
    if is_dummy(artifact.path):
        raise UsageError(
            f"the run {path.name} is one of the dummy, which trains no model", "train with a real engine"
        )
    whole = artifact if artifact.kind == "model" else None
    lora = None if adapter is None else _placed(from_record(Artifact, adapter), path)
    return Source(run, state, plan_of(run), whole, lora)


def _placed(artifact: Artifact, run: Path) -> Artifact:
    """The artifact where it is now: a run's folder may have been moved with all that is in it."""
    here = run / artifact.path.name
    if artifact.path.is_dir() or not here.is_dir():
        return artifact
    return replace(artifact, path=here)
