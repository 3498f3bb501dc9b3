"""Plans of embedders and rerankers that unit tests look at."""

from __future__ import annotations

from ftctl.facts.model import RetrievalFacts
from ftctl.job.training import Train
from ftctl.plan.decisions import Decisions
from ftctl.plan.model import Plan, RetrievalPlan
from tests.plans import decide, facts, job

BERT = {"architecture": "BertModel", "model_type": "bert"}
XLMR = {"architecture": "XLMRobertaModel", "model_type": "xlm-roberta"}
QWEN = {"architecture": "Qwen3ForCausalLM", "model_type": "qwen3"}
SCORER = {"architecture": "BertForSequenceClassification", "model_type": "bert"}
MINICPM = {"architecture": "MiniCPMForCausalLM", "model_type": "minicpm"}


def decided(
    train: Train,
    model: dict[str, str],
    *,
    own: RetrievalFacts | None = None,
    rows: int = 80,
    **changes: object,
) -> tuple[Plan, Decisions]:
    """The plan of a job on such a model, and what was decided."""
    held = facts(changes.pop("machine", None), rows=rows, retrieval=own or RetrievalFacts(), **model)  # type: ignore[arg-type] # given by name in tests
    return decide(job(train, **changes), held)


def retrieval_of(plan: Plan) -> RetrievalPlan:
    assert plan.train is not None
    assert plan.train.retrieval is not None
    return plan.train.retrieval


def reason(made: Decisions, key: str) -> str:
    return next(choice.reason for choice in made.choices if choice.key == key)
