"""Prepare: look up what a job needs to know, and plan it: the path that plan, render and train share."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from ftctl.data.of_job import look_at_data
from ftctl.engines.locate import locate
from ftctl.errors import FtctlError, JobError, Missing, Problem, UsageError, of_kind
from ftctl.facts.asked import Asked
from ftctl.facts.datasets import Watch
from ftctl.facts.deepspeed import deepspeed_config, deepspeed_faults
from ftctl.facts.hub_cache import revision_fault, snapshot
from ftctl.facts.machine import machine_facts
from ftctl.facts.model import EngineFacts, Facts, Gpu, MachineFacts, ModelFacts
from ftctl.facts.model_dir import model_facts
from ftctl.facts.packages import packages_of
from ftctl.job.load import load
from ftctl.job.model import Deploy, Job, problem_at
from ftctl.plan.devices import choose_devices
from ftctl.plan.model import Choice, Plan
from ftctl.plan.model_checks import beyond_context, check_model
from ftctl.plan.serve import plan_serve
from ftctl.plan.train import plan_train
from ftctl.record import to_record
from ftctl.rendered import Rendered
from ftctl.trainers.llamafactory_templates import TEMPLATES
from ftctl.trainers.table import trainer_of


def load_job(file: Path, overrides: tuple[str, ...], gpus: str | None) -> Job:
    """The job in `file` as the command line asks for it. `gpus` is `--gpus`: a count, indices, or all.

    Raises JobError for a bad job, UsageError where `--gpus` and the job's own GPUs disagree.
    """
    job = load(file, overrides)
    if gpus is None:
        return job
    asked = load(file, (*overrides, f"resources.gpus={f'[{gpus}]' if ',' in gpus else gpus}"))
    own = to_record(job.resources.gpus)
    if "resources.gpus" in job.written and job.resources.gpus != asked.resources.gpus:
        raise UsageError(
            f"--gpus {gpus} and resources.gpus: {own} disagree",
            "leave one out; --set resources.gpus=… overrides the job file",
        )
    return asked


def prepare(
    job: Job,
    *,
    environ: Mapping[str, str] = os.environ,
    runs: Path | None = None,
    anywhere: bool = False,
    asked: Asked | None = None,
    strict: bool = False,
    watch: Watch | None = None,
    offline: bool = False,
) -> Plan:
    """Everything that `train` would do with this job, decided.

    With `anywhere` the GPUs that the job asks for are taken to be there, and no environment is asked for
    its packages, so that a job file can be checked on a machine that will not run it. Jobs that are
    prepared together share what they `asked`. `watch` is told how far the reading of the data is. With
    `offline` a Hub model is the one in the local cache. The plan carries the warnings; with `strict` they
    are errors. Raises JobError with every problem of the job, its data and its model; Missing where a GPU
    asked for is not there.
    """
    asked = asked or Asked()
    folder = runs or Path.cwd()
    machine = asked.once(("machine", folder), lambda: machine_facts(folder, environ))
    if anywhere:
        machine = with_gpus(machine, job)
    found: list[Problem] = []
    job, fetched = _fetched(_placed(job, machine), offline, environ, found)
    model = _model(job, found, asked)
    data = look_at_data(job, asked, watch, quick=anywhere)
    found += of_kind("model", [*check_model(job, model), *_deepspeed(job)])
    found += of_kind("data", data.problems)
    warnings = (*beyond_context(job, model, data.train), *data.warnings)
    trainer, server = _engines(job, machine, environ, found, asked)
    facts = Facts(machine, model, data.train, data.eval, trainer, server)
    plan = Plan(job, facts, None, None, fetched, warnings)
    if job.train is not None:
        decided, made = plan_train(job, job.train, facts, TEMPLATES)
        found += made.problems
        plan = replace(plan, train=decided, choices=(*fetched, *made.choices))
        plan = _ruled(plan, found, None if anywhere else _packages(trainer))
    if job.deploy is not None:
        plan = _served(plan, job.deploy, found)
    found += [replace(warning, level="error") for warning in plan.warnings if strict]
    if found:
        raise JobError(of_kind("plan", found))
    return plan


def _packages(trainer: EngineFacts | None) -> frozenset[str] | None:
    return packages_of(trainer.python) if trainer is not None and trainer.installed else None


def _ruled(plan: Plan, found: list[Problem], packages: frozenset[str] | None) -> Plan:
    """The plan with what the engine's rules say of it; nothing is said twice of one place."""
    from ftctl.rules.check import check  # a job that only serves does without them

    native = plan.job.train.native if plan.job.train is not None else {}
    report = check(plan, packages=packages, deepspeed=deepspeed_config(native.get("deepspeed")))
    told = {(problem.file, problem.line, problem.column) for problem in found}
    found += [
        problem for problem in report.problems if (problem.file, problem.line, problem.column) not in told
    ]
    return replace(plan, warnings=plan.warnings + report.warnings, silenced=report.silenced)


def _placed(job: Job, machine: MachineFacts) -> Job:
    """The job with its deployment on the devices that trained, one per rank, unless it says otherwise."""
    deploy = job.deploy
    if deploy is None or deploy.gpus is not None:
        return job
    devices, _ = choose_devices(job.resources.gpus, machine)
    ranks = (deploy.tensor_parallel or 1) * (deploy.pipeline_parallel or 1) * (deploy.data_parallel or 1)
    return replace(job, deploy=replace(deploy, gpus=devices[:ranks] or 0))


def _served(plan: Plan, deploy: Deploy, found: list[Problem]) -> Plan:
    """The plan with its deployment: what is trained is served with the base model's shape."""
    job, server = plan.job, plan.facts.server
    adapter = deploy.adapter if plan.method == "lora" else "none"
    try:
        serve, choices = plan_serve(
            deploy,
            name=deploy.name or job.name,
            model=plan.facts.model,
            machine=plan.facts.machine,
            adapter=adapter,
            variant=None if server is None else server.variant,
            trust_remote_code=job.model.trust_remote_code,
        )
    except UsageError as error:
        found.append(problem_at(job, "deploy", error.message, error.remedy))
        return plan
    return replace(plan, serve=serve, choices=plan.choices + choices)


def rendered(plan: Plan) -> dict[str, Rendered]:
    """The engine's commands of a plan, by the name of their step, in order."""
    trainer = trainer_of(plan)
    merge = trainer.render_merge(plan)
    return {"train": trainer.render(plan)} | ({"merge": merge} if merge is not None else {})


def with_engines(plan: Plan, ensure: Callable[[EngineFacts], EngineFacts]) -> Plan:
    """The plan with its engine environments made sure of by `ensure`."""
    trainer, server = plan.facts.trainer, plan.facts.server
    facts = replace(
        plan.facts,
        trainer=ensure(trainer) if trainer is not None else None,
        server=ensure(server) if server is not None else None,
    )
    return replace(plan, facts=facts)


def _fetched(
    job: Job, offline: bool, environ: Mapping[str, str], found: list[Problem]
) -> tuple[Job, tuple[Choice, ...]]:
    """The job with a Hub model's folder in the local cache, where the network is not to be used."""
    model = job.model
    if model.revision is not None and (fault := revision_fault(model.revision)):
        found.append(problem_at(job, "model.revision", *fault))
    elif offline and not model.local:
        try:
            if model.hub != "huggingface":
                what = f"only Hugging Face's cache is looked into, and model.hub is {model.hub}"
                raise UsageError(what, "leave --offline out, or name the model's folder")
            folder = snapshot(model.path, model.revision, environ)
        except UsageError as error:
            found.append(problem_at(job, "model", error.message, error.remedy))
        else:
            chosen = Choice("model", str(folder), f"{model.path} in the local cache, as --offline asks")
            return replace(job, model=replace(model, path=str(folder), local=True, revision=None)), (chosen,)
    return job, ()


def _model(job: Job, found: list[Problem], asked: Asked) -> ModelFacts:
    if not job.model.local:
        return ModelFacts(job.model.path, local=False)
    try:
        return asked.once(("model", job.model.path), lambda: model_facts(Path(job.model.path)))
    except FtctlError as error:
        found += of_kind("model", [problem_at(job, "model", error.message, error.remedy)])
        return ModelFacts(job.model.path, local=True)


def _deepspeed(job: Job) -> list[Problem]:
    given = job.train.native.get("deepspeed") if job.train is not None else None
    faults = deepspeed_faults(given) if given is not None else []
    return [problem_at(job, "train.native.deepspeed", message, remedy) for message, remedy in faults]


def _engines(
    job: Job, machine: MachineFacts, environ: Mapping[str, str], found: list[Problem], asked: Asked
) -> tuple[EngineFacts | None, EngineFacts | None]:
    """The engines' interpreters: the variant follows from whether GPUs are used."""

    def located(name: str, gpus: int | str | tuple[int, ...] | None, python: Path | None) -> EngineFacts:
        chosen = variant(gpus, machine)
        look = partial(locate, name, chosen, python=python, environ=environ)
        return asked.once(("engine", name, chosen, python), look)

    trainer = server = None
    try:
        if job.train is not None:
            trainer = located(job.train.trainer, job.resources.gpus, job.train.engine_python)
        if job.deploy is not None:
            server = located("vllm", job.deploy.gpus, job.deploy.engine_python)
    except Missing:
        raise
    except FtctlError as error:
        found += of_kind("engine", [problem_at(job, "train.engine_python", error.message, error.remedy)])
    return trainer, server


def with_gpus(machine: MachineFacts, job: Job) -> MachineFacts:
    """The machine with every GPU that the job names, of no particular kind."""
    wanted = 0
    for asked in (job.resources.gpus, job.deploy.gpus if job.deploy else None):
        if isinstance(asked, int):
            wanted = max(wanted, asked)
        elif isinstance(asked, tuple):
            wanted = max(wanted, *(index + 1 for index in asked), 0)
        elif asked == "all":
            wanted = max(wanted, 1)
    gpus = tuple(Gpu(index, "any", 0) for index in range(max(wanted, len(machine.gpus))))
    return replace(machine, gpus=gpus, cuda_visible_devices=None)


def variant(gpus: int | str | tuple[int, ...] | None, machine: MachineFacts) -> str:
    """Which variant of an engine the devices ask for: cuda where any GPU is used, else cpu."""
    devices, _ = choose_devices(gpus, machine)
    return "cuda" if devices else "cpu"
