"""What a job's evaluation will do, as choices of the plan, and what keeps it from being done."""

from __future__ import annotations

from collections.abc import Iterator

from ftctl.errors import Problem
from ftctl.job.model import Evaluate, problem_at
from ftctl.plan.judging import compared_with_base, evaluated
from ftctl.plan.model import Choice, Plan


def check_evaluation(plan: Plan) -> Iterator[Problem]:
    """A deployment that answers no questions cannot be asked any."""
    serve, block = plan.serve, plan.job.evaluate
    if serve is None or block is None or not evaluated(plan) or serve.kind == "generate":
        return
    what = "vectors" if serve.kind == "embed" else "scores"
    said = f"the model serves {what}, and answers no questions"
    yield problem_at(plan.job, "evaluate", said, "remove it, or measure it by data.eval")


def evaluation_choices(plan: Plan) -> tuple[Choice, ...]:
    """What is asked, how it is measured and what it is compared with."""
    block = plan.job.evaluate
    if block is None or not evaluated(plan):
        return ()
    return tuple(_choices(plan, block))


def _choices(plan: Plan, block: Evaluate) -> Iterator[Choice]:
    rows = sum(fact.rows for fact in plan.facts.test_data)
    files = ", ".join(fact.path.name for fact in plan.facts.test_data)
    said = f"{rows} questions" if files else "rows held out"
    why = f"of {files}" if files else "a share of the training rows (data.test), not trained on"
    yield Choice("evaluate.data", said, f"{why}; asked through the deployment")
    names = ", ".join(name for metric in block.metrics for name in metric)
    set_ = "evaluate.metrics" in plan.job.written
    yield Choice("evaluate.metrics", names, "set" if set_ else "what is measured where nothing is said")
    greedy = not block.sampling.get("temperature")
    longest = f"at most {block.sampling['max_tokens']} tokens"
    yield Choice("evaluate.sampling", "greedy" if greedy else "drawn", f"answers of {longest}")
    if compared_with_base(plan):
        yield Choice("evaluate.compare", "base", "the base is served first, for as long as it is asked")
    elif block.compare is not None:
        yield Choice("evaluate.compare", block.compare, "set: a run that was asked the same")
