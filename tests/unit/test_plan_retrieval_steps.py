"""Embedders and rerankers: batches, steps, learning rate and what is held out."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftctl.facts.model import RetrievalFacts
from ftctl.job.model import Data, Dataset, Deploy, Resources
from ftctl.job.training import Retrieval, Train
from tests.plans import A100, decide, facts, job, machine
from tests.retrieval_plans import BERT, QWEN, SCORER, decided, reason, retrieval_of


@pytest.mark.parametrize(
    ("train", "model", "rows", "steps"),
    [
        (Train(task="embedding", batch_size=8), BERT, 20, 3),
        (Train(task="reranker", batch_size=8), SCORER, 20, 2),
        (Train(task="reranker", batch_size=8, micro_batch_size=2), SCORER, 22, 3),
        (Train(task="embedding", variant="decoder-only-icl", batch_size=8), QWEN, 20, 2),
    ],
)
def test_steps_know_which_batches_are_left_out(
    train: Train, model: dict[str, str], rows: int, steps: int
) -> None:
    plan, made = decided(train, model, rows=rows)
    assert not made.problems
    assert plan.train is not None
    assert plan.train.steps_per_epoch == steps


def test_a_reranker_needs_rows_for_one_whole_batch() -> None:
    _, made = decided(Train(task="reranker", batch_size=16), SCORER, rows=9)
    (found,) = made.problems
    assert found.key == "train.batch_size"
    assert "16 does not fill from 9 rows" in found.message


@pytest.mark.parametrize(("processes", "shared"), [(1, False), (2, True)])
def test_negatives_are_shared_only_where_there_are_several_processes(processes: int, shared: bool) -> None:
    train = Train(task="embedding", batch_size=8, retrieval=Retrieval(negatives_across_devices=True))
    plan, _ = decided(train, BERT, resources=Resources(gpus=0, processes=processes))
    assert retrieval_of(plan).negatives_across_devices is shared


@pytest.mark.parametrize(
    ("model", "parameters", "rate"),
    [(BERT, 22_000_000, 2e-5), (BERT, 335_000_000, 1e-5), (QWEN, 600_000_000, 1e-4)],
)
def test_the_learning_rate_follows_from_method_and_size(
    model: dict[str, str], parameters: int, rate: float
) -> None:
    held = facts(rows=80, retrieval=RetrievalFacts(), parameters=parameters, **model)  # type: ignore[arg-type] # as above
    plan, _ = decide(job(Train(task="embedding")), held)
    assert plan.train is not None
    assert plan.train.learning_rate == rate


def test_a_reranker_has_nothing_that_shapes_vectors() -> None:
    plan, _ = decided(Train(task="reranker"), SCORER)
    made = retrieval_of(plan)
    assert (made.temperature, made.pooling, made.normalize) == (None, None, None)


def test_precision_follows_the_gpu() -> None:
    plan, _ = decided(Train(task="embedding"), BERT, machine=machine(A100), resources=Resources(gpus=1))
    assert plan.train is not None
    assert (plan.train.precision, plan.train.devices) == ("bf16", (0,))


@pytest.mark.parametrize(("share", "rows"), [(None, 80), (0.1, 72), (20, 60), (0.001, 79)])
def test_an_epoch_has_no_step_for_what_is_held_out(share: float | None, rows: int) -> None:
    data = Data((Dataset(Path("/data/train.jsonl")),), eval_share=share)
    plan, made = decided(Train(task="embedding", batch_size=1), BERT, data=data, deploy=Deploy())
    assert not made.problems
    assert plan.train is not None
    assert plan.train.steps_per_epoch == rows
    assert ("data.eval" in [choice.key for choice in made.choices]) == (share is not None)


def test_held_out_rows_without_a_deployment_are_said_to_be_unused() -> None:
    data = Data((Dataset(Path("/data/train.jsonl")),), eval_share=8)
    _, made = decided(Train(task="embedding"), BERT, data=data)
    assert "no endpoint to ask" in reason(made, "data.eval")


def test_all_rows_cannot_be_held_out() -> None:
    data = Data((Dataset(Path("/data/train.jsonl")),), eval_share=80)
    _, made = decided(Train(task="embedding"), BERT, data=data)
    assert [problem.key for problem in made.problems] == ["data.eval"]
