"""The whole job: load, check, plan, render, launch; then this process becomes one that attends the run."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from ftctl.engines.install import ensure
from ftctl.errors import UsageError
from ftctl.facts.asked import Asked
from ftctl.facts.model import EngineFacts
from ftctl.launchers import launcher
from ftctl.leases.of_job import lease_for
from ftctl.plan.judging import judged
from ftctl.plan.model import Plan
from ftctl.prepare import ENGINES, load_job, prepare, rendered, with_engines
from ftctl.run.attend import become
from ftctl.run.create import create
from ftctl.run.index import enter
from ftctl.run.roots import runs_root
from ftctl.run.state import standing
from ftctl.supervise.serving import check_place
from ftctl.view.installing import installing
from ftctl.view.output import emit, say
from ftctl.view.scanning import scanning
from ftctl.view.warnings import show_warnings


def run_job(
    job_file: Path,
    overrides: tuple[str, ...],
    gpus: str | None,
    runs_dir: Path | None,
    *,
    strict: bool,
    install: bool,
    offline: bool = False,
    wait: bool = False,
    as_json: bool,
    detach: bool = False,
    origin: Path | None = None,
) -> None:
    """Run the job in `job_file`; the process ends with the run's exit code, or returns at once to `detach`.

    `origin` is the file that was submitted, where `job_file` is a run's copy of it: paths are relative to its
    folder. With `wait` it queues for GPUs that are not free. Raises JobError, UsageError and Missing before
    anything is started.
    """
    job = load_job(job_file, overrides, gpus, origin)
    if job.job.train is None and not job.problems:
        raise UsageError(
            f"{job_file} trains nothing: it has no train block", f"ftctl deploy {job_file} serves it"
        )
    asked = Asked()
    with scanning() as watch:
        plan = prepare(job, asked=asked, runs=runs_dir, watch=watch, strict=strict, offline=offline)
    show_warnings(plan)
    say(headline(plan))
    check_place(plan)
    plan = ensure_all(plan, install=install)
    check_judge(plan)
    lease = lease_for(job.job, plan.facts.machine, wait=wait, say=say)
    if lease.gpus:
        # Planned again, for the GPUs that it has now. While it waited its data may have changed.
        known = Asked() if wait else asked
        made = prepare(job, asked=known, runs=runs_dir, strict=strict, offline=offline, leased=lease.gpus)
        plan = with_engines_of(plan, made)
        say(f"leased {in_words(lease.gpus)}")
    run = create(plan, rendered(plan), runs_dir or runs_root())
    enter(run.path, plan.job.name, time.time())
    say(f"run {plan.job.name} {run.path.name} in {run.path}")
    launcher(plan.job.resources.launcher).submit(run.path, lease)
    if not detach:
        become(run.path, as_json=as_json)
    data = {"run": str(run.path), "id": run.path.name, "name": plan.job.name, "state": standing(run.path)}
    emit("train", data, as_json=as_json, text=how_to_go_on(run.path.name))


def how_to_go_on(run: str) -> str:
    """What can be done with a run that goes on by itself."""
    return "\n".join(
        (
            f"  watch it  ftctl watch {run}",
            f"  its log   ftctl logs {run} -f",
            f"  stop it   ftctl stop {run}",
        )
    )


def with_engines_of(sure: Plan, plan: Plan) -> Plan:
    """The plan with the engines that were made sure of for an earlier one of the same job."""
    known = sure.facts
    own = {name: getattr(known, name) for name in ENGINES}
    facts = replace(plan.facts, **own)
    return replace(plan, facts=facts)


def in_words(gpus: tuple[int, ...]) -> str:
    return f"GPU {','.join(map(str, gpus))}" if gpus else "the CPU"


def check_judge(plan: Plan) -> None:
    """Raises Missing where the held-out rows could not be counted after the training, FtctlError where the
    gate names a run that was not measured."""
    if plan.facts.trainer is not None and plan.job.deploy is not None and judged(plan):
        from ftctl.judge.figures import check_library

        check_library(plan.facts.trainer.python)
    if plan.job.evaluate is not None and plan.job.evaluate.gate:
        from ftctl.judge.records import other_of
        from ftctl.judge.verdict import check_runs

        check_runs(plan.job.evaluate.gate, other_of(Path()))


def headline(plan: Plan) -> str:
    """One line on what is about to be trained, and with what."""
    job, train = plan.job, plan.train
    if job.train is None or train is None:
        return f"{job.name}: nothing to train"
    place = in_words(train.devices)
    rows = sum(fact.rows for fact in plan.facts.train_data)
    variant = f" {train.retrieval.variant}" if train.retrieval is not None else ""
    return (
        f"{job.name}: {job.train.task}{variant} {plan.method} of {job.model.path} on {rows} rows, "
        f"{train.engine} on {place}, batch {train.batch_size}, {train.precision}"
    )


def ensure_all(plan: Plan, *, install: bool) -> Plan:
    """The plan with installed engines. Raises Missing where one is not there and `install` is false."""

    def made_sure(engine: EngineFacts) -> EngineFacts:
        if engine.installed:
            return engine
        with installing() as (report, watch):
            return ensure(
                engine.name,
                engine.variant,
                install=install,
                report=report,
                watch=watch,
                trackers=engine.trackers,
            )

    return with_engines(plan, made_sure)
