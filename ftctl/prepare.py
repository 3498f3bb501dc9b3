"""Prepare: look up what a job needs to know, and plan it: the path that plan, render and train share."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from ftctl.engines.locate import locate
from ftctl.errors import FtctlError, JobError, Missing, Problem, UsageError, of_kind
from ftctl.facts.asked import Asked
from ftctl.facts.datasets import scan
from ftctl.facts.deepspeed import deepspeed_config
from ftctl.facts.machine import machine_facts
from ftctl.facts.model import DatasetFacts, EngineFacts, Facts, Gpu, MachineFacts, ModelFacts
from ftctl.facts.model_dir import model_facts
from ftctl.facts.packages import packages_of
from ftctl.job.load import load
from ftctl.job.model import Dataset, Deploy, Job, problem_at
from ftctl.plan.devices import choose_devices
from ftctl.plan.model import Plan
from ftctl.plan.serve import plan_serve
from ftctl.plan.train import plan_train
from ftctl.record import to_record
from ftctl.rendered import Rendered
from ftctl.rules.check import check
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
) -> Plan:
    """Everything that `train` would do with this job, decided.

    With `anywhere` the GPUs that the job asks for are taken to be there, and no environment is asked for
    its packages, so that a job file can be checked on a machine that will not run it. Jobs that are
    prepared together share what they `asked`. The plan carries the warnings of the engine's rules; with
    `strict` they are errors. Raises JobError with every problem of the job, its data and its model;
    Missing where a GPU asked for is not there.
    """
    asked = asked or Asked()
    folder = runs or Path.cwd()
    machine = asked.once(("machine", folder), lambda: machine_facts(folder, environ))
    if anywhere:
        machine = with_gpus(machine, job)
    job = _placed(job, machine)
    found: list[Problem] = []
    model = _model(job, found, asked)
    train_data = _data(job.data.train if job.data else (), found, asked)
    eval_data = _data(job.data.eval if job.data else (), found, asked)
    trainer, server = _engines(job, machine, environ, found, asked)
    facts = Facts(machine, model, train_data, eval_data, trainer, server)
    plan = Plan(job, facts, None, None, ())
    if job.train is not None:
        decided, made = plan_train(job, job.train, facts, TEMPLATES)
        found += made.problems
        plan = replace(plan, train=decided, choices=tuple(made.choices))
        plan = _ruled(plan, found, None if anywhere else _packages(trainer), strict=strict)
    if job.deploy is not None:
        plan = _served(plan, job.deploy, found)
    if found:
        raise JobError(of_kind("plan", found))
    return plan


def _packages(trainer: EngineFacts | None) -> frozenset[str] | None:
    return packages_of(trainer.python) if trainer is not None and trainer.installed else None


def _ruled(plan: Plan, found: list[Problem], packages: frozenset[str] | None, *, strict: bool) -> Plan:
    """The plan with what the engine's rules say of it; nothing is said twice of one place."""
    native = plan.job.train.native if plan.job.train is not None else {}
    report = check(plan, packages=packages, deepspeed=deepspeed_config(native.get("deepspeed")))
    told = {(problem.file, problem.line, problem.column) for problem in found}
    refused = report.problems + (report.warnings if strict else ())
    found += [
        replace(problem, level="error")
        for problem in refused
        if (problem.file, problem.line, problem.column) not in told
    ]
    return replace(plan, warnings=() if strict else report.warnings, silenced=report.silenced)


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
    adapter = deploy.adapter if job.train is not None and job.train.method == "lora" else "none"
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


def _model(job: Job, found: list[Problem], asked: Asked) -> ModelFacts:
    if not job.model.local:
        return ModelFacts(job.model.path, local=False)
    try:
        return asked.once(("model", job.model.path), lambda: model_facts(Path(job.model.path)))
    except FtctlError as error:
        found += of_kind("model", [problem_at(job, "model", error.message, error.remedy)])
        return ModelFacts(job.model.path, local=True)


def _data(datasets: tuple[Dataset, ...], found: list[Problem], asked: Asked) -> tuple[DatasetFacts, ...]:
    facts = []
    for dataset in datasets:
        fact, problems = asked.once(("data", repr(dataset)), partial(scan, dataset))
        found += of_kind("data", problems)
        if fact is not None:
            facts.append(fact)
    return tuple(facts)


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
            trainer = located("llamafactory", job.resources.gpus, job.train.engine_python)
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
