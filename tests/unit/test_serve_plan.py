"""How an artifact is served: every derived value, and what cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ftctl.errors import FtctlError, Missing, UsageError
from ftctl.facts.model import EngineFacts, Gpu, MachineFacts, ModelFacts
from ftctl.job.model import Deploy
from ftctl.plan.kv_cache import kv_need, kv_token_values
from ftctl.plan.model import ServePlan
from ftctl.plan.serve import plan_serve

MIB = 2**20
GIB = 2**30
TINY = ModelFacts("/m", local=True, max_positions=512, weight_bytes=MIB, kv_token_values=256)


def machine(gpus: int = 0, visible: str | None = None) -> MachineFacts:
    listed = tuple(Gpu(index, "NVIDIA A100", 80 * GIB, 8.0) for index in range(gpus))
    return MachineFacts(listed, visible, 4, 16 * GIB, 100 * GIB)


def decide(
    deploy: Deploy, model: ModelFacts = TINY, on: MachineFacts | None = None, **more: Any
) -> tuple[ServePlan, dict[str, str]]:
    plan, choices = plan_serve(deploy, name="ft", model=model, machine=on or machine(), **more)
    assert all(choice.reason for choice in choices)
    return plan, {choice.key: choice.value for choice in choices}


def test_a_tiny_model_on_the_cpu_starts_fast() -> None:
    plan, choices = decide(Deploy())
    assert plan == ServePlan(
        "vllm", "ft", "none", (), 1, "float32", 512, kv_cache_memory=64 * MIB, eager=True, threads=1
    )
    assert choices["deploy.engine"] == "vllm"
    assert choices["deploy.gpus"] == "the CPU"


def test_a_large_model_on_the_cpu_is_held_to_what_it_can_bear() -> None:
    large = ModelFacts("/m", local=True, max_positions=40960, weight_bytes=8 * GIB, kv_token_values=57344)
    plan, _ = decide(Deploy(), large)
    assert (plan.dtype, plan.max_length, plan.threads) == ("bfloat16", 4096, 4)
    need = kv_need(57344, "bfloat16", 4096)
    assert need is not None
    assert plan.kv_cache_memory is not None
    assert need <= plan.kv_cache_memory <= 16 * GIB // 4


def test_a_gpu_takes_the_engines_own_choices() -> None:
    plan, _ = decide(Deploy(), on=machine(2))
    assert (plan.devices, plan.dtype, plan.gpu_memory_share) == ((0,), "auto", 0.9)
    assert (plan.kv_cache_memory, plan.eager, plan.max_length) == (None, False, 512)


def test_what_the_job_sets_stands() -> None:
    block = Deploy(dtype="bfloat16", max_length=256, kv_cache_memory=GIB, gpus=(1, 3), gpu_memory_share=0.5)
    plan, _ = decide(block, on=machine(4))
    assert (plan.dtype, plan.max_length, plan.kv_cache_memory) == ("bfloat16", 256, GIB)
    assert (plan.devices, plan.tensor_parallel, plan.gpu_memory_share) == ((1, 3), 2, 0.5)


def test_the_cpu_environment_leaves_gpus_alone() -> None:
    engine = EngineFacts("vllm", "cpu", Path("/env/bin/python"), installed=True)
    assert decide(Deploy(), on=machine(2), engine=engine)[0].devices == ()


@pytest.mark.parametrize(
    ("block", "on", "error", "says"),
    [
        (Deploy(max_length=513), machine(), UsageError, "513 and the model has 512"),
        (Deploy(gpus=1), machine(), Missing, "this machine has none"),
        (Deploy(gpus=(5,)), machine(2), Missing, "GPU 5"),
        (Deploy(tensor_parallel=4), machine(2), UsageError, "4 ranks do not fit on 2 GPUs"),
        (Deploy(tensor_parallel=2), machine(), UsageError, "2 ranks do not fit on 0 GPUs"),
        (Deploy(gpus=3, pipeline_parallel=2), machine(3), UsageError, "cannot be shared"),
    ],
)
def test_what_cannot_be_is_said_at_once(
    block: Deploy, on: MachineFacts, error: type[FtctlError], says: str
) -> None:
    with pytest.raises(error, match=says) as caught:
        decide(block, on=on)
    assert caught.value.remedy


def test_a_longer_context_may_be_asked_for_with_its_scaling() -> None:
    block = Deploy(max_length=1024, native={"hf_overrides": {"rope_scaling": {"factor": 2.0}}})
    assert decide(block)[0].max_length == 1024


def test_a_cache_that_memory_cannot_hold_is_refused() -> None:
    huge = ModelFacts("/m", local=True, max_positions=4096, weight_bytes=GIB, kv_token_values=10**6)
    with pytest.raises(Missing, match="more than half of memory"):
        decide(Deploy(), huge)


@pytest.mark.parametrize(
    ("config", "values"),
    [
        ({"num_hidden_layers": 28, "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128,
          "hidden_size": 1024}, 57344),
        ({"num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 64}, 256),
        ({"text_config": {"num_hidden_layers": 1, "num_attention_heads": 1, "hidden_size": 8}}, 16),
        ({}, None),
    ],
)  # fmt: skip
def test_what_a_token_takes_is_read_from_the_config(config: dict[str, Any], values: int | None) -> None:
    assert kv_token_values(config) == values
