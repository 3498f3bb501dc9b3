"""The whole job: load, check, plan, render, launch, and follow it to its end."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from ftctl.deployments.store import describe
from ftctl.engines.ensure import ensure_all
from ftctl.errors import FtctlError, UsageError
from ftctl.launchers import launcher
from ftctl.plan.model import Plan
from ftctl.prepare import load_job, prepare, rendered
from ftctl.registry import add_run
from ftctl.run.create import create
from ftctl.run.directory import RunDir
from ftctl.run.find import runs_root
from ftctl.run.follow import Ending, follow
from ftctl.run.serving import check_place
from ftctl.view.follow_view import view_for
from ftctl.view.output import envelope, say


def run_job(
    job_file: Path,
    overrides: tuple[str, ...],
    gpus: str | None,
    runs_dir: Path | None,
    *,
    install: bool,
    as_json: bool,
) -> int:
    """Run the job in `job_file` and return its exit code.

    Raises JobError, UsageError and Missing before anything is started, FtctlError where the run fails.
    """
    job = load_job(job_file, overrides, gpus)
    if job.train is None:
        raise UsageError(
            f"{job_file} trains nothing: it has no train block", f"ftctl deploy {job_file} serves it"
        )
    plan = prepare(job, runs=runs_dir)
    say(headline(plan))
    check_place(plan)
    plan = ensure_all(plan, install=install)
    run = create(plan, rendered(plan), runs_dir or runs_root())
    add_run(run.path, plan.job.name, run.path.name, time.time())
    say(f"run {plan.job.name} {run.path.name} in {run.path}")
    launcher(plan.job.resources.launcher).submit(run.path)
    with view_for(sys.stderr.isatty(), as_json) as view:
        ending = follow(run.path, view.show, say)
    return _close(run, plan, ending, as_json=as_json)


def headline(plan: Plan) -> str:
    """One line on what is about to be trained, and with what."""
    job, train = plan.job, plan.train
    if job.train is None or train is None:
        return f"{job.name}: nothing to train"
    place = f"GPU {','.join(map(str, train.devices))}" if train.devices else "the CPU"
    rows = sum(fact.rows for fact in plan.facts.train_data)
    return (
        f"{job.name}: {job.train.task} {job.train.method} of {job.model.path} on {rows} rows, "
        f"{train.engine} on {place}, batch {train.batch_size}, {train.precision}"
    )


def _close(run: RunDir, plan: Plan, ending: Ending, *, as_json: bool) -> int:
    """Say how it ended and what to do next."""
    result = {"run": str(run.path), "id": run.path.name, "name": plan.job.name, "state": ending.state}
    if as_json:
        detail = {"message": ending.message, "remedy": ending.remedy} if ending.exit_code else None
        print(envelope("train", result, exit_code=ending.exit_code, error=detail))
        return ending.exit_code
    if ending.exit_code not in (0, 130):
        error = FtctlError(f"{plan.job.name} {run.path.name} {ending.state}: {ending.message}", ending.remedy)
        error.exit_code = ending.exit_code
        raise error
    if ending.exit_code == 130:
        say(f"{plan.job.name} {run.path.name} {ending.message}; {ending.remedy}")
        return 130
    say(f"done: {run.path}")
    if plan.job.deploy is not None:
        say(describe(plan.job.deploy.name or plan.job.name))
    return 0
