"""The stages that evaluate a language model: its base before the deployment, the deployment after it."""

from __future__ import annotations

from ftctl.artifacts.model import Artifact
from ftctl.deployments import store
from ftctl.errors import FtctlError, Interrupted
from ftctl.judge.evaluate import EVALUATIONS, wanted_of
from ftctl.judge.evaluate_run import Case, check_case, summary
from ftctl.judge.evaluate_run import evaluate_base as base_answers
from ftctl.judge.evaluate_run import evaluate_tuned as tuned_answers
from ftctl.leases.hold import held_here
from ftctl.plan.model import Plan
from ftctl.run.directory import RunDir
from ftctl.supervise.judging import phase, teller


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
            tuned_answers(case, artifact, store.get(name))
        except Interrupted as stopped:
            raise Interrupted(f"{stopped.message}; {name} goes on running") from None
        except FtctlError as error:
            what = f"{name} is served and could not be evaluated: {error.message}"
            raise FtctlError(
                what, f"{error.remedy}; ftctl logs {name} shows it, ftctl stop {name} ends it"
            ) from None
    run.emit("verdict", summary(case.place))


def _case(run: RunDir, plan: Plan) -> Case:
    deploy, server, judge = check_case(plan)
    wanted = wanted_of(plan.job)
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
    )
