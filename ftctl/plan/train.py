"""Plan the training: everything that its engine needs, decided, each with its reason."""

from __future__ import annotations

from ftctl.facts.model import Facts
from ftctl.job.model import Job
from ftctl.job.training import RETRIEVAL, Train
from ftctl.plan.decisions import Decisions
from ftctl.plan.language import plan_language
from ftctl.plan.model import TrainPlan
from ftctl.plan.retention import check_retention


def plan_train(
    job: Job, train: Train, facts: Facts, templates: frozenset[str]
) -> tuple[TrainPlan, Decisions]:
    """Decide everything that training needs. `templates` are the names that LLaMA-Factory knows.

    Problems are returned in the decisions; the plan is meaningless where there are any. Raises
    errors.Missing where the GPUs asked for are not there.
    """
    made = Decisions(job, [], [])
    if train.task in RETRIEVAL:
        from ftctl.plan.retrieval import plan_retrieval  # a language model does without it

        decided = plan_retrieval(job, train, facts, made)
    else:
        decided = plan_language(job, train, facts, templates, made)
    check_retention(job, train, facts, decided, made)
    return decided, made
