"""What `ftctl evaluate TARGET` means: a deployment, a run, a model's folder or a job, and its questions."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ftctl.artifacts.model import Artifact
from ftctl.deployments import store
from ftctl.deployments.store import Entry
from ftctl.deployments.target import Target, target_of
from ftctl.errors import JobError, UsageError
from ftctl.job.load import draft
from ftctl.job.model import Deploy, Evaluate, Job, Model, Resources
from ftctl.judge.evaluate import EVALUATIONS, Wanted, wanted_of
from ftctl.paths import state_dir
from ftctl.record import to_record
from ftctl.run.find import lookup
from ftctl.run.state import LIVE, standing

JOBS = (".yaml", ".yml")
KEY = "evaluate."


@dataclass(frozen=True)
class Subject:
    """What is evaluated and where its evaluations lie. `entry` is its deployment where it runs; `gated` says
    whether its gate is held against what comes of it: not where it is asked otherwise than its job asks."""

    target: Target
    wanted: Wanted
    place: Path
    entry: Entry | None = None
    gated: bool = False

    @property
    def name(self) -> str:
        return self.target.name


def subject_of(
    text: str, overrides: Sequence[str] = (), *, limit: int | None = None, output: Path | None = None
) -> Subject:
    """The subject that `text` names; `overrides` are KEY=VALUE of the evaluate block.

    A job's own evaluation of a run lies in the run; one that asks other things, beside it in a folder of its
    own. Raises UsageError where there is no such thing or nothing to ask, JobError for a bad override.
    """
    target, entry = _found(text)
    job = target.job
    block = asked_block(job.evaluate or Evaluate(), overrides)
    wanted = wanted_of(replace(job, evaluate=block), target.run)
    if wanted is None:
        raise UsageError(f"{text} has no questions to be asked", "name a file of them: --data test.jsonl")
    for dataset in wanted.files:
        if not dataset.path.is_file():
            raise UsageError(f"there is no file {dataset.path}", "correct the path, or name another: --data")
    wanted = replace(wanted, limit=limit)
    own = job.evaluate is not None and block == job.evaluate and limit is None
    gated = own or any(one.removeprefix(KEY).startswith("gate") for one in overrides)
    return Subject(target, wanted, output or _place(target, wanted, own=own), entry, gated)


def _found(text: str) -> tuple[Target, Entry | None]:
    """What a name stands for, and its deployment where one runs."""
    path = Path(text).expanduser()
    if not path.exists() and store.NAME.fullmatch(text):
        entry = store.find(text)
        if entry is not None and store.state(entry) in store.SERVING:
            return _of_entry(entry), _asked(entry)
    if path.is_file() and path.suffix.lower() not in JOBS:
        raise UsageError(f"{path} is no job file", "write a job's name with .yaml, or name rows by --data")
    target = target_of(text, ())
    if target.run is not None and standing(target.run) in LIVE and lookup(text) is not None:
        raise UsageError(f"the run {target.run.name} is not over", f"ftctl watch {target.run.name} shows it")
    return target, None if target.run is None else _serving(target.run)


def _of_entry(entry: Entry) -> Target:
    """A deployment as a target: that of its run, or its model as it is known."""
    deployment = entry.deployment
    if deployment.run is not None and (Path(deployment.run) / "run.json").is_file():
        return replace(target_of(deployment.run, ()), name=entry.name)
    artifact = Artifact("hub", Path(deployment.artifact))
    deploy = Deploy(engine=deployment.engine)
    job = Job(
        entry.name, Model(deployment.artifact, local=False), None, None, Resources(), deploy, entry.folder, ""
    )
    return Target(artifact, deploy, entry.name, job)


def _asked(entry: Entry) -> Entry:
    """Raises UsageError for a deployment that answers no questions."""
    if entry.deployment.kind != "generate":
        what = "vectors" if entry.deployment.kind == "embed" else "scores"
        raise UsageError(f"{entry.name} serves {what}, not answers", "data.eval of its job measures it")
    return entry


def _serving(run: Path) -> Entry | None:
    """The deployment of a run that is running now."""
    for entry in store.entries():
        own = entry.deployment.run == str(run) and entry.deployment.behind is None
        if own and store.state(entry) in store.SERVING:
            return _asked(entry)
    return None


def asked_block(block: Evaluate, overrides: Sequence[str]) -> Evaluate:
    """The block with overrides, typed and checked as those of a job file; paths begin at this folder."""
    if not overrides:
        return block
    given = tuple(one if one.startswith(KEY) else f"{KEY}{one}" for one in overrides)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "evaluate.yaml"
        document = {"name": "evaluate", "model": "evaluate/evaluate", "data": {"test": str(file)}}
        file.write_text(json.dumps({**document, "deploy": {}, "evaluate": {}}))
        found = draft(file, given, origin=Path.cwd() / file.name)
    if found.problems:
        raise JobError([replace(problem, file="--set", line=0) for problem in found.problems])
    asked = found.job.evaluate
    assert asked is not None
    keys = [one.removeprefix(KEY).partition("=")[0].strip() for one in given]
    drawn = {key.partition(".")[2]: asked.sampling[key.partition(".")[2]] for key in keys if _is_drawn(key)}
    whole = {top: getattr(asked, top) for key in keys if not _is_drawn(key) for top in [_top(key)]}
    return replace(block, **{"sampling": {**block.sampling, **drawn}, **whole})


def _is_drawn(key: str) -> bool:
    return key.startswith("sampling.")


def _top(key: str) -> str:
    return key.partition(".")[0].partition("[")[0]


def _place(target: Target, wanted: Wanted, *, own: bool) -> Path:
    if own and target.run is not None:
        return target.run / EVALUATIONS
    block = wanted.block
    asked = [to_record(wanted.files), block.system, dict(block.sampling), wanted.limit]
    if target.run is None:
        asked.append([str(target.artifact.path), dict(target.artifact.hashes)])
    name = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:8]
    if target.run is not None:
        return target.run / EVALUATIONS / name
    return state_dir() / EVALUATIONS / target.name / name
