"""Prepare: look up what a job needs to know, and plan it: the path that plan, render and train share."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftctl.advice.plan import advised
from ftctl.errors import FtctlError, JobError, Missing, Problem, of_kind
from ftctl.facts.asked import Asked
from ftctl.facts.datasets import Watch
from ftctl.facts.deepspeed import deepspeed_config
from ftctl.facts.model import EngineFacts
from ftctl.facts.packages import packages_of
from ftctl.job.doubt import Doubt, Draft
from ftctl.job.load import draft
from ftctl.job.model import Deploy, Job, problem_at
from ftctl.looked_up import Found, look_up
from ftctl.plan.model import Plan
from ftctl.plan.model_checks import beyond_context, check_model
from ftctl.plan.rests import told
from ftctl.plan.serve import plan_serve
from ftctl.plan.train import plan_train
from ftctl.rendered import Rendered
from ftctl.trainers.llamafactory_templates import TEMPLATES
from ftctl.trainers.reference import render_reference
from ftctl.trainers.table import trainer_of

if TYPE_CHECKING:
    from ftctl.rules.check import Report

ENGINES = ("trainer", "server", "judge", "lm_eval")  # the facts that are of an engine


def load_job(file: Path, overrides: tuple[str, ...], gpus: str | None, origin: Path | None = None) -> Draft:
    """The job in `file` as the command line asks for it. `gpus` is `--gpus`: a count, indices, or all.

    Where `file` is a run's copy of a job, `origin` is the file that was submitted.

    What is wrong in the file is told by `prepare`, together with everything else. Raises JobError where
    there is no job to read, UsageError where `--gpus` and the job's own GPUs disagree.
    """
    return draft(file, overrides, gpus=gpus, origin=origin)


def prepare(
    job: Job | Draft,
    *,
    environ: Mapping[str, str] = os.environ,
    runs: Path | None = None,
    anywhere: bool = False,
    asked: Asked | None = None,
    strict: bool = False,
    watch: Watch | None = None,
    offline: bool = False,
    leased: tuple[int, ...] | None = None,
) -> Plan:
    """Everything that `train` would do with this job, decided.

    With `anywhere` the GPUs that the job asks for are taken to be there, and no environment is asked for
    its packages, so that a job file can be checked on a machine that will not run it. Jobs that are
    prepared together share what they `asked`. `watch` is told how far the reading of the data is. With
    `offline` a Hub model is the one in the local cache. With `leased` these GPUs were taken for it, and it
    has no others; without, none is taken and a count means those that are free now. The plan carries the
    warnings, with `strict` they are errors, and advice, which never is. Raises JobError with every problem
    of the job's file, its data and its model, the warnings beside them; of a draft nothing is said that
    rests on a wrong key (`job.doubt`). Raises Missing where a GPU asked for is not there.
    """
    given = job if isinstance(job, Draft) else Draft(job)
    look = partial(look_up, environ=environ, asked=asked or Asked(), watch=watch)
    try:
        looked = look(given.job, runs or Path.cwd(), anywhere=anywhere, offline=offline, leased=leased)
        plan, late = _planned(looked, given.doubt, anywhere=anywhere)
    except FtctlError:
        if given.problems:
            raise JobError(given.problems) from None
        raise
    errors = (*given.problems, *told(given, late))
    doubtful = told(given, plan.warnings, errors)
    found = (*errors, *(replace(warning, level="error") if strict else warning for warning in doubtful))
    if any(problem.level == "error" for problem in found):
        raise JobError(of_kind("plan", found))
    return advised(plan)


def _planned(looked: Found, doubt: Doubt, *, anywhere: bool) -> tuple[Plan, list[Problem]]:
    """The plan for what was looked up, and everything wrong with it."""
    job, facts = looked.job, looked.facts
    found = [*looked.problems, *of_kind("model", check_model(job, facts.model))]
    warnings = (*beyond_context(job, facts.model, facts.train_data), *looked.warnings)
    plan = Plan(job, facts, None, None, looked.choices, warnings)
    if job.train is not None:
        decided, made = plan_train(job, job.train, facts, TEMPLATES)
        found += made.problems
        plan = replace(plan, train=decided, choices=(*looked.choices, *made.choices))
        plan = _ruled(plan, found, None if anywhere else _packages(facts.trainer), doubt)
    if job.deploy is not None:
        plan = _served(plan, job.deploy, found, doubt, anywhere=anywhere)
    if job.evaluate is not None:
        from ftctl.plan.evaluating import check_evaluation, evaluation_choices  # most jobs evaluate nothing

        found += check_evaluation(plan)
        plan = replace(plan, choices=plan.choices + evaluation_choices(plan))
    return plan, found


def _packages(engine: EngineFacts | None) -> frozenset[str] | None:
    return packages_of(engine.python) if engine is not None and engine.installed else None


def _ruled(plan: Plan, found: list[Problem], packages: frozenset[str] | None, doubt: Doubt) -> Plan:
    """The plan with what the engine's rules say of it."""
    from ftctl.rules.check import check  # a job that only serves does without them

    native = plan.job.train.native if plan.job.train is not None else {}
    report = check(plan, packages=packages, deepspeed=deepspeed_config(native.get("deepspeed")), doubt=doubt)
    return _with(plan, report, found)


def _with(plan: Plan, report: Report, found: list[Problem]) -> Plan:
    """The plan with a report of its rules; nothing is said twice of one place."""
    places = {(problem.file, problem.line, problem.column) for problem in found}
    found += [
        problem for problem in report.problems if (problem.file, problem.line, problem.column) not in places
    ]
    silenced = plan.silenced + report.silenced
    return replace(plan, warnings=plan.warnings + report.warnings, silenced=silenced)


def _served(plan: Plan, deploy: Deploy, found: list[Problem], doubt: Doubt, *, anywhere: bool) -> Plan:
    """The plan with its deployment, and what the server's rules say of it.

    What is trained is served with the base model's shape.
    """
    from ftctl.rules.check import check_serving  # a job that only trains does without them

    job, engine = plan.job, plan.facts.server
    adapter = deploy.adapter if plan.method == "lora" else "none"
    adapters, rank, template = None, None, None
    try:
        if job.train is None:
            _dummies_apart(plan, deploy)
        if deploy.adapters is not None:
            from ftctl.deployments.adapters import look_at  # few jobs have any

            adapters, rank, template = look_at(deploy.adapters, job.model.path)
        if deploy.tls is not None and not anywhere:
            from ftctl.deployments.tls import check_tls  # as few have a certificate

            check_tls(deploy.tls, deploy.host)
        serve, choices = plan_serve(
            deploy,
            name=deploy.name or job.name,
            model=plan.facts.model,
            machine=plan.facts.machine,
            adapter=adapter,
            engine=engine,
            adapters=adapters,
            lora_rank=rank,
            chat_template=template,
            trust_remote_code=job.model.trust_remote_code,
            trained=None if plan.train is None else plan.train.retrieval,
        )
        packages = None if anywhere else _packages(engine)
        report = check_serving(job, serve, plan.facts, packages=packages, doubt=doubt)
        if serve.head == "yes" and plan.facts.model.local:
            from ftctl.deployments.score_files import check_tokenizer  # few jobs need it

            check_tokenizer(Path(plan.facts.model.path))
    except Missing:
        raise
    except FtctlError as error:
        key, _, said = error.message.partition(": ")
        if not key.startswith("deploy.") or " " in key:
            key, said = "deploy", error.message
        found.append(problem_at(job, key, said, error.remedy))
        return plan
    return _with(replace(plan, serve=serve, choices=plan.choices + choices), report, found)


def _dummies_apart(plan: Plan, deploy: Deploy) -> None:
    """Raises UsageError where a model that is served as it is and its server are not both dummies."""
    from ftctl.artifacts.dummy import check_server
    from ftctl.artifacts.model import Artifact

    model = plan.facts.model
    check_server(Artifact("model" if model.local else "hub", Path(model.path)), deploy.engine)


def rendered(plan: Plan) -> dict[str, Rendered]:
    """The engine's commands of a plan, by the name of their step, in order."""
    trainer = trainer_of(plan)
    steps = {
        "convert": trainer.render_data(plan, sys.executable),
        "train": trainer.render(plan),
        "merge": trainer.render_merge(plan),
        "reference": render_reference(plan),
    }
    return {name: step for name, step in steps.items() if step is not None}


def with_engines(plan: Plan, ensure: Callable[[EngineFacts], EngineFacts]) -> Plan:
    """The plan with its engine environments made sure of by `ensure`."""
    known = {name: getattr(plan.facts, name) for name in ENGINES}
    sure: dict[str, Any] = {name: engine and ensure(engine) for name, engine in known.items()}
    return replace(plan, facts=replace(plan.facts, **sure))
