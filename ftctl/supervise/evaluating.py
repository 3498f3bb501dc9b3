"""The stages that evaluate a language model: its base before the deployment, the deployment after it."""

from __future__ import annotations

from contextlib import nullcontext

from ftctl.artifacts.model import Artifact
from ftctl.deployments import store
from ftctl.errors import FtctlError, Interrupted
from ftctl.judge.evaluate import BASE, EVALUATIONS, FIGURES, evaluation_of, wanted_of
from ftctl.judge.evaluate_run import Case, check_case, compared, summary
from ftctl.judge.evaluate_run import evaluate_base as base_answers
from ftctl.judge.evaluate_run import evaluate_tuned as tuned_answers
from ftctl.leases.hold import held_here
from ftctl.plan.model import Plan
from ftctl.run.directory import RunDir
from ftctl.supervise.judging import hold, phase, teller, withdrawn


def evaluate_base(run: RunDir, plan: Plan, tuned: Artifact) -> None:
    """Have the base model answer; where it cannot be served, the run says why and goes on."""
    with phase(run, "evaluate base"):
        try:
            base_answers(_case(run, plan), plan, tuned)
        except Interrupted:
            raise
        except FtctlError as error:
            run.emit("warning", {"message": f"the base model is not evaluated: {error}"})


def evaluate(run: RunDir, plan: Plan, artifact: Artifact) -> None:
    """Have the deployment answer and tell how it compares. Raises FtctlError where it does not answer."""
    name = (plan.job.deploy and plan.job.deploy.name) or plan.job.name
    with phase(run, "evaluate"):
        case = _case(run, plan)
        try:
            tuned_answers(case, artifact, lambda: nullcontext(store.get(name)))
            _compare(run, case)
        except Interrupted as stopped:
            raise Interrupted(f"{stopped.message}; {name} goes on running") from None
        except FtctlError as error:
            what = f"{name} is served and could not be evaluated: {error.message}"
            raise FtctlError(
                what, f"{error.remedy}; ftctl logs {name} shows it, ftctl stop {name} ends it"
            ) from None
    found = hold(run, plan, artifact)
    run.emit("verdict", {**summary(case.place), **({} if found is None else {"gate": found.record})})
    if found is not None and not found.met:
        raise withdrawn(run, name, found)


def _compare(run: RunDir, case: Case) -> None:
    """Record how the answers differ from those of the base, or of the run that the job names."""
    asked = case.wanted.block.compare
    if asked is None:
        return
    other = case.place / BASE if asked == BASE else evaluation_of(asked)
    why = compared(case, other) if (other / FIGURES).is_file() else f"there are no figures of {asked}"
    if why:
        run.emit("warning", {"message": f"it is not compared with {asked}: {why}"})


def _case(run: RunDir, plan: Plan) -> Case:
    deploy, server, judge = check_case(plan)
    wanted = wanted_of(plan.job, run.path)
    if wanted is None:
        raise ValueError("a plan without questions is evaluated")
    return Case(
        run.path,
        run.path / EVALUATIONS,
        plan.job,
        wanted,
        deploy,
        server,
        plan.facts.machine,
        judge.python,
        held_here(),
        teller(run),
        None if plan.facts.lm_eval is None else plan.facts.lm_eval.python,
    )
