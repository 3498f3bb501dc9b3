"""What `ftctl deploy TARGET` means: a run, a model folder or a job file, to what start() needs."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path

from ftctl.artifacts.dummy import DUMMY, check_server, is_dummy
from ftctl.artifacts.model import Artifact
from ftctl.artifacts.verify import adapter_in, model_in
from ftctl.artifacts.weights import read_json
from ftctl.errors import FtctlError, JobError, UsageError
from ftctl.job.dummy import served_by_dummy
from ftctl.job.load import draft, load
from ftctl.job.model import Deploy, Job, Model, Resources
from ftctl.record import from_record, to_record
from ftctl.run.directory import RunDir
from ftctl.run.find import lookup, runs_of
from ftctl.run.records import plan_of
from ftctl.run.state import LIVE, standing

ARTIFACT, MODEL, ADAPTER = "artifact.json", "config.json", "adapter_config.json"


@dataclass(frozen=True)
class Target:
    """What is to be served and how; `run` is the run that made it, `job` the one that asks for it.

    A folder has no job file: its job says what the command line does.
    """

    artifact: Artifact
    deploy: Deploy
    name: str
    job: Job
    run: Path | None = None
    trust_remote_code: bool = False


def target_of(text: str, overrides: tuple[str, ...]) -> Target:
    """The target that `text` names; `overrides` are KEY=VALUE of the deploy block (deploy. may be left out).

    Raises UsageError where there is no such thing, JobError for a bad job or override.
    """
    return _of_its_kind(_found(text, overrides))


def _of_its_kind(target: Target) -> Target:
    """The target served by the dummy where a dummy made it. Raises UsageError where only one of them is."""
    engine, artifact = target.deploy.engine, target.artifact
    if engine == "auto" and artifact.kind != "hub" and is_dummy(artifact.path):
        engine = DUMMY
    check_server(artifact, engine)
    if engine != DUMMY:
        return target
    deploy = served_by_dummy(target.deploy)
    return replace(target, deploy=deploy, job=replace(target.job, deploy=deploy))


def _found(text: str, overrides: tuple[str, ...]) -> Target:
    path = Path(text).expanduser()
    overrides = tuple(key if key.startswith("deploy.") else f"deploy.{key}" for key in overrides)
    if path.is_file():
        return _from_job(load(path.absolute(), overrides))
    if any((path / config).is_file() for config in (MODEL, ADAPTER)):
        return _from_folder(path.resolve(), overrides)
    run = lookup(text)
    if run is not None:
        return _from_run(run, overrides)
    if path.is_dir():
        raise UsageError(f"{path} is no run and no model folder", f"it has no run.json, {MODEL} or {ADAPTER}")
    raise UsageError(f"{text} is no run, model folder or job file", "ftctl runs lists the runs")


def _from_run(run: Path, overrides: tuple[str, ...]) -> Target:
    plan = plan_of(RunDir(run))
    deploy = _unplaced(plan.job)
    if plan.job.deploy is None and plan.train is not None and plan.train.engine == DUMMY:
        deploy = replace(deploy, engine=DUMMY)
    deploy = _overridden(deploy, overrides)
    artifact = _artifact_of(run, deploy)
    if artifact is None:
        lives = standing(run) in LIVE
        remedy = (
            f"it is not over: ftctl watch {run.name} shows it" if lives else "ftctl runs shows how it ended"
        )
        raise FtctlError(f"the run {run.name} has no verified result", remedy)
    name = deploy.name or plan.job.name
    job = _asked(plan.job, deploy, overrides)
    return Target(artifact, deploy, name, job, run, plan.job.model.trust_remote_code)


def _unplaced(job: Job) -> Deploy:
    """The job's deployment on any GPUs, as many as the run had for it, unless the job names them."""
    deploy = job.deploy or Deploy()
    if isinstance(deploy.gpus, tuple) and "deploy.gpus" not in job.written:
        return replace(deploy, gpus=len(deploy.gpus))
    return deploy


def _from_job(job: Job) -> Target:
    """The newest run of the job that left a verified result, served as the job file says now.

    A job that trains nothing serves its model as it is.
    """
    deploy = job.deploy or Deploy()
    if job.train is None:
        return _untrained(job, deploy)
    done = next((run for run in runs_of(job.name) if (run / ARTIFACT).is_file()), None)
    artifact = None if done is None else _artifact_of(done, deploy)
    if artifact is None:
        raise UsageError(
            f"no run of {job.name} has a verified result yet", f"ftctl train {job.file} makes one"
        )
    return Target(artifact, deploy, deploy.name or job.name, job, done, job.model.trust_remote_code)


def _untrained(job: Job, deploy: Deploy) -> Target:
    """The job's model as it is; one on a Hub is fetched by the server, in the revision that the job names."""
    model, name = job.model, deploy.name or job.name
    if model.local:
        return Target(model_in(Path(model.path)), deploy, name, job, None, model.trust_remote_code)
    if model.revision is not None:
        deploy = replace(deploy, native={"revision": model.revision, **deploy.native})
    return Target(Artifact("hub", Path(model.path)), deploy, name, job, None, model.trust_remote_code)


def _from_folder(folder: Path, overrides: tuple[str, ...]) -> Target:
    deploy = _overridden(Deploy(engine=DUMMY if is_dummy(folder) else "auto"), overrides)
    adapter = folder / ADAPTER
    artifact = adapter_in(folder, _base_of(adapter)) if adapter.is_file() else model_in(folder)
    name = deploy.name or folder.name
    bare = Job(name, Model(str(folder), local=True), None, None, Resources(), deploy, folder, "")
    return Target(artifact, deploy, name, _asked(bare, deploy, overrides))


def _asked(job: Job, deploy: Deploy, overrides: tuple[str, ...]) -> Job:
    """The job with what the command line makes of its deployment."""
    keys = frozenset(override.partition("=")[0].strip() for override in overrides)
    return replace(job, deploy=deploy, overrides=(*job.overrides, *overrides), written=job.written | keys)


def _base_of(adapter: Path) -> str:
    base = read_json(adapter).get("base_model_name_or_path")
    if not base:
        raise UsageError(f"{adapter} does not name its base model", "set base_model_name_or_path in it")
    return str(base)


def _artifact_of(run: Path, deploy: Deploy) -> Artifact | None:
    """The run's verified result: whole weights, or its adapter where that is to be attached to its base.

    Raises UsageError where the run's adapter was not merged and the merged weights are asked for.
    """
    record, adapter = RunDir(run).read_json(ARTIFACT), RunDir(run).read_json("adapter.json")
    if record is None:
        return None
    if deploy.adapter == "attach" and adapter is not None:
        return from_record(Artifact, adapter)
    artifact = from_record(Artifact, record)
    if artifact.kind == "adapter" and deploy.adapter == "merge":
        raise UsageError(
            f"the adapter of run {run.name} was not merged into its base",
            "serve it with --set adapter=attach",
        )
    return artifact


def _overridden(deploy: Deploy, overrides: Iterable[str]) -> Deploy:
    """The deploy block with overrides, typed and checked as those of a job file; paths begin here."""
    given = tuple(overrides)
    if not given:
        return deploy
    unset = to_record(Deploy())
    written = {key: value for key, value in to_record(deploy).items() if value != unset[key]}
    document = {"name": "deploy", "model": "deploy/deploy", "deploy": {"engine": deploy.engine, **written}}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "deploy.yaml"
        file.write_text(json.dumps(document, ensure_ascii=False))
        found = draft(file, given, origin=Path.cwd() / file.name)
    if found.problems:
        raise JobError([replace(problem, file="--set", line=0) for problem in found.problems])
    loaded = found.job.deploy
    assert loaded is not None
    return replace(deploy, **{field.name: getattr(loaded, field.name) for field in fields(Deploy)})
