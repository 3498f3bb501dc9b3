"""Which checkpoints stay: the best of them, when to give up, and whether the disk has room."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ftctl.job.model import Data, Deploy
from ftctl.job.training import Checkpoints, EarlyStopping, Train
from ftctl.plan.model import Plan
from ftctl.trainers.llamafactory import arguments
from tests.plans import decide, facts, job, machine

GIB = 2**30


def planned(
    train: Train, *, held_out: float | None = 0.1, free: int = 80, **changes: object
) -> tuple[Plan, str]:
    """The plan of a job on a model of 4 GiB, `free` GiB of disk, and its problems as one text."""
    the_job = job(train, **changes)
    assert the_job.data is not None
    the_job = replace(the_job, data=Data(the_job.data.train, eval_share=held_out))
    place = replace(machine(), disk_free=free * GIB)
    plan, made = decide(the_job, facts(place, weight_bytes=4 * GIB))
    return plan, "\n".join(f"{one.key}: {one.message}; {one.remedy}" for one in made.problems)


def test_the_best_is_kept_by_its_figure() -> None:
    train = Train(method="full", checkpoints=Checkpoints(every=50, keep_best="eval_loss"))
    plan, problems = planned(train)
    assert not problems
    said = arguments(plan)
    assert said["load_best_model_at_end"] is True
    assert (said["metric_for_best_model"], said["greater_is_better"]) == ("eval_loss", False)
    assert (said["save_strategy"], said["save_steps"]) == ("steps", 50)
    assert (said["eval_strategy"], said["eval_steps"]) == ("steps", 50)
    assert "early_stopping_steps" not in said


def test_what_is_no_loss_is_better_when_higher() -> None:
    plan, _ = planned(Train(method="full", checkpoints=Checkpoints(keep_best="eval_accuracy")))
    assert arguments(plan)["greater_is_better"] is True


def test_giving_up_looks_at_the_loss() -> None:
    plan, problems = planned(Train(method="full", early_stopping=EarlyStopping(patience=2)))
    assert not problems
    said = arguments(plan)
    assert (said["early_stopping_steps"], said["metric_for_best_model"]) == (2, "eval_loss")
    assert (said["load_best_model_at_end"], said["eval_strategy"]) == (False, "epoch")


def test_without_either_nothing_is_said() -> None:
    plan, _ = planned(Train(method="full"))
    assert not {"load_best_model_at_end", "metric_for_best_model", "early_stopping_steps"} & set(
        arguments(plan)
    )


@pytest.mark.parametrize(
    ("train", "held_out", "said"),
    [
        (Train(method="full", early_stopping=EarlyStopping()), None, "train.early_stopping: needs rows"),
        (Train(method="full", checkpoints=Checkpoints(keep_best="eval_loss")), None, "keep_best: needs rows"),
        (
            Train(method="full", checkpoints=Checkpoints("never", keep_best="eval_loss")),
            0.1,
            "keep_best: no checkpoint is written",
        ),
        (
            Train(method="full", checkpoints=Checkpoints(50, keep_best="eval_loss"), eval_every=20),
            0.1,
            "checkpoints every 50 and evaluations every 20 do not meet",
        ),
        (
            Train(method="full", checkpoints=Checkpoints(50, keep_best="eval_loss"), eval_every="epoch"),
            0.1,
            "checkpoints every 50 and evaluations every epoch do not meet",
        ),
    ],
)
def test_a_best_that_nobody_measures_is_refused(train: Train, held_out: float | None, said: str) -> None:
    assert said in planned(train, held_out=held_out)[1]


def test_evaluations_may_come_more_often_than_checkpoints() -> None:
    train = Train(method="full", checkpoints=Checkpoints(50, keep_best="eval_loss"), eval_every=25)
    assert not planned(train)[1]


# A whole checkpoint is 12 GiB here: weights of 4 GiB and two moments of each; 80 rows are 5 steps an epoch.
@pytest.mark.parametrize(
    ("kept", "free", "said"),
    [
        (Checkpoints(), 39, "3 checkpoints of 12.0 GiB and the result take 40.0 GiB, and 39.0 GiB"),
        (Checkpoints(), 41, ""),
        (Checkpoints(keep=None), 39, "3 checkpoints of 12.0 GiB"),
        (Checkpoints(every=1, keep=None), 183, "15 checkpoints of 12.0 GiB and the result take 184.0 GiB"),
        (Checkpoints(keep=1), 29, ""),
        (Checkpoints(weights_only=True), 17, ""),
        (Checkpoints(weights_only=True), 15, "3 checkpoints of 4.0 GiB and the result take 16.0 GiB"),
        (Checkpoints(every="never"), 5, ""),
    ],
)
def test_checkpoints_that_the_disk_cannot_hold_are_refused(kept: Checkpoints, free: int, said: str) -> None:
    problems = planned(Train(method="full", checkpoints=kept), held_out=None, free=free)[1]
    assert said in problems
    assert bool(problems) == bool(said)


def test_of_adapters_only_the_merged_model_is_counted() -> None:
    assert "the merged model take" in planned(Train(method="lora"), free=3)[1]
    assert not planned(Train(method="lora"), free=5)[1]
    assert not planned(Train(method="lora"), free=3, deploy=Deploy(adapter="attach"))[1]
