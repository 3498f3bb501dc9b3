"""Whether a run measures what it serves, and how."""

from __future__ import annotations

from ftctl.job.dummy import NAME as DUMMY
from ftctl.job.training import RETRIEVAL
from ftctl.plan.model import Plan


def judged(plan: Plan) -> bool:
    """Whether a run that serves also measures: an embedder or a reranker for which rows were held out.

    A dummy is not: there is nothing to its answers.
    """
    data, train = plan.job.data, plan.train
    retrieves = train is not None and train.retrieval is not None and train.engine != DUMMY
    return retrieves and data is not None and bool(data.eval or data.eval_share)


def evaluated(plan: Plan) -> bool:
    """Whether a run that serves a language model also has it answer questions."""
    job = plan.job
    if job.deploy is None or job.evaluate is None or (job.train is not None and job.train.task in RETRIEVAL):
        return False
    return bool(
        job.evaluate.tasks
        or job.evaluate.data
        or (job.data is not None and (job.data.test or job.data.test_share))
    )


def compared_with_base(plan: Plan) -> bool:
    """Whether the base model answers them too."""
    return evaluated(plan) and plan.job.evaluate is not None and plan.job.evaluate.compare == "base"


def phases(plan: Plan) -> tuple[str, ...]:
    """What a run does once its result is verified, in order: nothing where the job does not serve."""
    if plan.job.deploy is None:
        return ()
    if judged(plan):
        return ("judge base", "serve", "judge")
    if not evaluated(plan):
        return ("serve",)
    return (*(("evaluate base",) if compared_with_base(plan) else ()), "serve", "evaluate")
