"""vLLM's command line: what a plan becomes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ftctl.artifacts.model import Artifact
from ftctl.errors import UsageError
from ftctl.facts.model import MachineFacts
from ftctl.job.model import Deploy
from ftctl.plan.model import ServePlan
from ftctl.rendered import Rendered
from ftctl.servers import server
from ftctl.servers.vllm_lora import LORA_RANKS, lora_rank

MODEL = Artifact("model", Path("/runs/a b/客服/model"))
ADAPTER = Artifact("adapter", Path("/runs/x/output"), base="/models/base", lora_rank=12)
CPU = ServePlan("vllm", "ft", "none", (), 1, "float32", 512, kv_cache_memory=67108864, eager=True, threads=1)
GPU = ServePlan("vllm", "ft", "none", (1, 3), 2, "auto", None, gpu_memory_share=0.9)


def render(plan: ServePlan = CPU, deploy: Deploy | None = None, artifact: Artifact = MODEL) -> Rendered:
    machine = MachineFacts((), None, 2, 2**34, 2**34)
    return server("vllm").render(
        plan, deploy or Deploy(), artifact, python=Path("/env/bin/python"), port=8123, machine=machine
    )


def value(rendered: Rendered, flag: str) -> str:
    """The last value of a flag, as argparse takes it."""
    at = len(rendered.argv) - 1 - rendered.argv[::-1].index(flag)
    return rendered.argv[at + 1]


def test_the_cpu_command_whole() -> None:
    rendered = render()
    assert rendered.argv == (
        "/env/bin/python", "-m", "vllm.entrypoints.openai.api_server",
        "--dtype", "float32",
        "--max-model-len", "512",
        "--kv-cache-memory-bytes", "67108864",
        "--enforce-eager",
        "--disable-fastapi-docs",
        "--disable-access-log-for-endpoints", "/health",
        "--model", "/runs/a b/客服/model",
        "--served-model-name", "ft",
        "--host", "127.0.0.1",
        "--port", "8123",
        "--middleware", "vllm_guard.Guard",
    )  # fmt: skip
    env = rendered.env
    assert (Path(str(env["PYTHONPATH"])) / "vllm_guard.py").is_file()
    assert {key: env[key] for key in env if key != "PYTHONPATH"} == {
        "PYTHONHOME": None,
        "PYTHONNOUSERSITE": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": None,
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "VLLM_HOST_IP": "127.0.0.1",
        "CUDA_VISIBLE_DEVICES": "",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "VLLM_CPU_KVCACHE_SPACE": None,
        "OMP_NUM_THREADS": "1",
        "VLLM_ALLOW_RUNTIME_LORA_UPDATING": None,
    }


def test_every_field_of_the_block_reaches_vllm() -> None:
    block = Deploy(
        kv_cache_dtype="fp8", quantization="awq", max_concurrency=32, prefix_caching=False,
        tool_parser="hermes", reasoning_parser="qwen3", log_requests=True,
    )  # fmt: skip
    rendered = render(GPU, block)
    assert rendered.argv[3:-10] == (
        "--dtype", "auto",
        "--tensor-parallel-size", "2",
        "--gpu-memory-utilization", "0.9",
        "--kv-cache-dtype", "fp8",
        "--quantization", "awq",
        "--max-num-seqs", "32",
        "--no-enable-prefix-caching",
        "--tool-call-parser", "hermes",
        "--enable-auto-tool-choice",
        "--reasoning-parser", "qwen3",
        "--enable-log-requests",
        "--disable-fastapi-docs",
        "--disable-access-log-for-endpoints", "/health",
    )  # fmt: skip
    assert rendered.env["CUDA_VISIBLE_DEVICES"] == "1,3"
    assert "OMP_NUM_THREADS" not in rendered.env


def test_an_attached_adapter_bears_the_name_that_the_user_asks_for() -> None:
    plan = ServePlan("vllm", "ft", "attach", (), 1, "float32", 512, chat_template="/runs/x/output/t.jinja")
    rendered = render(plan, artifact=ADAPTER)
    assert value(rendered, "--model") == "/models/base"
    assert value(rendered, "--served-model-name") == "ft-base"
    assert value(rendered, "--lora-modules") == "ft=/runs/x/output"
    assert value(rendered, "--max-lora-rank") == "16"
    assert value(rendered, "--chat-template") == "/runs/x/output/t.jinja"
    assert "--enable-lora" in rendered.argv


def test_a_base_from_the_hub_may_be_fetched() -> None:
    plan = ServePlan("vllm", "ft", "attach", (), 1, "float32", 512)
    adapter = Artifact("adapter", Path("/runs/x/output"), base="Qwen/Qwen3-0.6B", lora_rank=8)
    assert "HF_HUB_OFFLINE" not in render(plan, artifact=adapter).env


@pytest.mark.parametrize(
    ("rank", "taken"), [(1, 1), (2, 8), (8, 8), (9, 16), (257, 320), (512, 512), (None, 64)]
)
def test_ranks_are_rounded_up_to_what_vllm_takes(rank: int | None, taken: int) -> None:
    assert lora_rank(rank) == taken
    assert taken in LORA_RANKS


def test_a_rank_above_all_is_to_be_merged() -> None:
    with pytest.raises(UsageError, match="rank 513") as caught:
        lora_rank(513)
    assert "merge" in caught.value.remedy


@pytest.mark.parametrize(
    ("native", "words"),
    [
        ({"max_model_len": 99}, ("--max-model-len", "99")),
        ({"enforce_eager": False}, ("--no-enforce-eager",)),
        ({"async_scheduling": True}, ("--async-scheduling",)),
        ({"seed": -1}, ("--seed=-1",)),
        ({"override_generation_config": {"top_k": 1}}, ("--override-generation-config", '{"top_k": 1}')),
        ({"allowed_origins": ["https://a.example"]}, ("--allowed-origins", '["https://a.example"]')),
        ({"middleware": ["a.B", "c.D"]}, ("--middleware", "a.B", "--middleware", "c.D")),
        ({"cudagraph_capture_sizes": [1, 2]}, ("--cudagraph-capture-sizes", "1", "2")),
    ],
)
def test_native_arguments_win(native: dict[str, Any], words: tuple[str, ...]) -> None:
    argv = render(deploy=Deploy(native=native)).argv
    starts = [at for at in range(len(argv)) if argv[at : at + len(words)] == words]
    assert len(starts) == 1
    assert "512" not in argv or "max_model_len" not in native
    assert "--enforce-eager" not in argv or "enforce_eager" not in native


def test_a_native_null_takes_a_derived_argument_away() -> None:
    assert "--dtype" not in render(deploy=Deploy(native={"dtype": None})).argv


def test_the_guard_is_the_last_middleware_whatever_native_adds() -> None:
    rendered = render(deploy=Deploy(native={"middleware": ["their.Thing"]}))
    assert value(rendered, "--middleware") == "vllm_guard.Guard"


@pytest.mark.parametrize(
    "key", ["host", "port", "api_key", "model", "served-model-name", "uds", "ssl_keyfile"]
)
def test_what_ftctl_decides_cannot_be_set_natively(key: str) -> None:
    with pytest.raises(UsageError, match=key.replace("_", "-")):
        render(deploy=Deploy(native={key: "x"}))


def test_a_server_that_is_none_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match="no server is called vlm"):
        server("vlm")
