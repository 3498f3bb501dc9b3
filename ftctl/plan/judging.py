"""Whether a run measures what it serves."""

from __future__ import annotations

from ftctl.job.dummy import NAME as DUMMY
from ftctl.plan.model import Plan


def judged(plan: Plan) -> bool:
    """Whether a run that serves also measures: an embedder or a reranker for which rows were held out.

    A dummy is not: there is nothing to its answers.
    """
    data, train = plan.job.data, plan.train
    retrieves = train is not None and train.retrieval is not None and train.engine != DUMMY
    return retrieves and data is not None and bool(data.eval or data.eval_share)
