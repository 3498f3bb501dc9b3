"""Plans survive being written to JSON and read back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ftctl.facts.model import ModelFacts
from ftctl.job.model import Deploy
from ftctl.job.training import Lora, Quantization, Train
from ftctl.plan.model import Plan
from ftctl.record import from_record, to_record
from tests.plans import plan


def test_a_plan_comes_back_equal() -> None:
    train = Train(
        lora=Lora(rank=4, targets=("q_proj", "v_proj")),
        quantization=Quantization(4),
        engine_python=Path("/opt/python"),
        native={"neat_packing": True, "list": [1, "2", None]},
    )
    before = plan(train, deploy=Deploy(gpus=(0, 1), port=8001))
    after = from_record(Plan, json.loads(json.dumps(to_record(before))))
    assert after == before


def test_numbers_keep_their_type() -> None:
    share = from_record(Train, {"warmup": 10, "learning_rate": 1})
    assert isinstance(share.warmup, int)
    assert isinstance(share.learning_rate, float)


def test_new_fields_take_their_default_and_unknown_ones_are_left_out() -> None:
    assert from_record(ModelFacts, {"path": "m", "local": False, "from_the_future": 1}) == ModelFacts(
        "m", False
    )


@pytest.mark.parametrize("value", [{"path": 1, "local": True}, {"path": "m", "local": "yes"}, [], None])
def test_another_shape_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        from_record(ModelFacts, value)
