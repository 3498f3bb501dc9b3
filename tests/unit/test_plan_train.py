"""The training plan: devices, batch, precision, template, each decided with its reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftctl.errors import Missing, UsageError
from ftctl.job.model import Data, Dataset, Model, Resources
from ftctl.job.training import Train
from ftctl.plan.batch import Batch, NoFit, split
from ftctl.plan.devices import choose_devices
from tests.plans import A100, V100, decide, facts, job, machine


@pytest.mark.parametrize(
    ("size", "world", "micro", "largest", "expected"),
    [
        (64, 1, None, 16, Batch(16, 4, 64)),
        (64, 8, None, 16, Batch(8, 1, 64)),
        (6, 2, None, 2, Batch(1, 3, 6)),
        (64, 4, 2, 1, Batch(2, 8, 64)),
        (7, 1, None, 4, Batch(1, 7, 7)),
        (10, 4, None, 16, NoFit(1, (8, 12))),
        (3, 2, 4, 16, NoFit(4, (8,))),
    ],
)
def test_batch_is_split_exactly_or_not_at_all(
    size: int, world: int, micro: int | None, largest: int, expected: Batch | NoFit
) -> None:
    assert split(size, world, micro, largest) == expected


def test_a_batch_that_does_not_fit_names_its_line_and_the_nearest() -> None:
    _, made = decide(job(Train(method="full", batch_size=10, micro_batch_size=4)), facts())
    (found,) = made.problems
    assert (found.line, found.column, found.key) == (5, 3, "train.batch_size")
    assert "10 is not micro batch 4 × accumulation × 1 devices" in found.message
    assert "8 and 12" in found.remedy


@pytest.mark.parametrize(
    ("asked", "visible", "expected"),
    [
        (0, None, ()),
        (None, None, (0, 1, 2)),
        ("all", "2,0", (2, 0)),
        (1, "2,0", (2,)),
        ((0, 2), None, (0, 2)),
        (None, "", ()),
        (None, "-1", ()),
    ],
)
def test_devices_agree(
    asked: int | str | tuple[int, ...] | None, visible: str | None, expected: tuple[int, ...]
) -> None:
    gpus = tuple(type(A100)(index, "A100", 1, 8.0) for index in range(3))
    assert choose_devices(asked, machine(*gpus, visible=visible))[0] == expected


@pytest.mark.parametrize("asked", [1, 2, "all", (0,), (5,)])
def test_no_such_gpu_is_missing(asked: int | str | tuple[int, ...]) -> None:
    with pytest.raises(Missing) as caught:
        choose_devices(asked, machine(A100, visible=""))
    assert caught.value.exit_code == 4
    assert "CUDA_VISIBLE_DEVICES=" in str(caught.value)


def test_unreadable_cuda_visible_devices() -> None:
    with pytest.raises(UsageError, match="GPU-1234 is not a list of GPU indices"):
        choose_devices(None, machine(A100, visible="GPU-1234"))


@pytest.mark.parametrize(
    ("train", "gpus", "dtype", "expected"),
    [
        (Train(method="full"), (), "float32", "fp32"),
        (Train(method="freeze"), (), "bfloat16", "bf16"),
        (Train(method="lora"), (A100,), "bfloat16", "bf16"),
        (Train(method="lora"), (V100,), "bfloat16", "fp16"),
        (Train(method="lora", precision="fp32"), (A100,), "bfloat16", "fp32"),
    ],
)
def test_precision_follows_the_device(
    train: Train, gpus: tuple[object, ...], dtype: str, expected: str
) -> None:
    the_job = job(train, resources=Resources(gpus=len(gpus)))
    plan, made = decide(the_job, facts(machine(*gpus), dtype=dtype))  # type: ignore[arg-type] # Gpu values
    assert plan.train is not None
    assert plan.train.precision == expected
    assert not made.problems


def test_fp16_on_the_cpu_is_refused() -> None:
    _, made = decide(job(Train(method="full", precision="fp16")), facts())
    assert [found.key for found in made.problems] == ["train.precision"]


def test_unknown_template_gets_the_nearest() -> None:
    the_job = job(model=Model("/models/base", local=True, template="qwen33"))
    _, made = decide(the_job, facts())
    (found,) = made.problems
    assert found.line == 2
    assert "qwen3" in found.remedy


def test_a_model_without_chat_template_needs_one() -> None:
    _, made = decide(job(), facts(has_chat_template=False))
    assert [found.key for found in made.problems] == ["model.template"]


@pytest.mark.parametrize(("share", "steps"), [(None, 5), (0.5, 3), (16, 4)])
def test_steps_of_an_epoch_count_what_is_trained_on(share: float | int | None, steps: int) -> None:
    data = Data((Dataset(Path("/data/train.jsonl")),), eval_share=share)
    plan, _ = decide(job(Train(method="full", batch_size=16), data=data), facts())
    assert plan.train is not None
    assert plan.train.steps_per_epoch == steps


def test_holding_out_everything_is_refused() -> None:
    data = Data((Dataset(Path("/data/train.jsonl")),), eval_share=80)
    _, made = decide(job(data=data), facts())
    assert [found.key for found in made.problems] == ["data.eval"]


def test_every_choice_has_a_reason() -> None:
    plan, _ = decide(job(Train()), facts())
    assert len(plan.choices) >= 8
    assert all(choice.key and choice.value and choice.reason for choice in plan.choices)
