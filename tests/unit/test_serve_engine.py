"""Which server is chosen, why, and what each of the two lacks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ftctl.job.model import Deploy
from ftctl.plan.serve_engine import choose_server
from ftctl.plan.serve_gaps import LMDEPLOY_DRAFTS, VLLM_DRAFTS, gaps
from tests.conftest import Cli
from tests.model_files import write_model

BOTH = frozenset({"vllm", "lmdeploy"})
NGRAM = {"method": "ngram", "tokens": 4}


@pytest.mark.parametrize(
    ("deploy", "how", "chosen", "why"),
    [
        (Deploy(), {"gpus": False}, "vllm", "LMDeploy needs a GPU"),
        (Deploy(), {"gpus": False, "installed": {"lmdeploy"}}, "vllm", "LMDeploy needs a GPU"),
        (Deploy(), {}, "vllm", "most kinds of models"),
        (Deploy(), {"installed": set()}, "vllm", "most kinds of models"),
        (Deploy(), {"installed": {"vllm"}}, "vllm", "it is installed, and LMDeploy is not"),
        (Deploy(), {"installed": {"lmdeploy"}}, "lmdeploy", "it is installed, and vLLM is not"),
        (Deploy(), {"installed": {"lmdeploy"}, "kind": "embed"}, "vllm", "no embedders"),
        (Deploy(kv_cache_dtype="int4"), {}, "lmdeploy", "deploy.kv_cache_dtype: vLLM has no int4 cache"),
        (Deploy(pipeline_parallel=2), {"installed": {"lmdeploy"}}, "vllm", "deploy.pipeline_parallel"),
        (Deploy(speculative=NGRAM), {"installed": {"lmdeploy"}}, "vllm", "LMDeploy cannot draft by ngram"),
        (Deploy(adapters={}), {"installed": {"lmdeploy"}}, "vllm", "takes adapters only at its start"),
        (Deploy(adapters={"a": "b"}), {"installed": {"lmdeploy"}}, "lmdeploy", "it is installed"),
        (Deploy(native={"seed": 1}), {"installed": {"lmdeploy"}}, "vllm", "native"),
        (Deploy(engine_python=Path("/p")), {"installed": {"lmdeploy"}}, "vllm", "engine_python"),
    ],
)
def test_the_choice_follows_from_what_is_there(
    deploy: Deploy, how: dict[str, Any], chosen: str, why: str
) -> None:
    installed = frozenset(how.get("installed", BOTH))
    found = choose_server(
        deploy, kind=how.get("kind", "generate"), gpus=how.get("gpus", True), installed=installed
    )
    assert found[0] == chosen
    assert why in found[1]


@pytest.mark.parametrize(
    ("engine", "deploy", "key", "other"),
    [
        ("vllm", Deploy(kv_cache_dtype="int8"), "kv_cache_dtype", "lmdeploy"),
        ("vllm", Deploy(speculative={"method": "hy3_mtp", "tokens": 1}), "speculative", "lmdeploy"),
        ("lmdeploy", Deploy(pipeline_parallel=2), "pipeline_parallel", "vllm"),
        ("lmdeploy", Deploy(kv_cache_memory=1), "kv_cache_memory", "vllm"),
        ("lmdeploy", Deploy(dtype="float32"), "dtype", "vllm"),
        ("lmdeploy", Deploy(quantization="bitsandbytes"), "quantization", "vllm"),
        ("lmdeploy", Deploy(speculative=NGRAM), "speculative", "vllm"),
        ("lmdeploy", Deploy(adapters={}), "adapters", "vllm"),
        ("lmdeploy", Deploy(data_parallel=2, kv_cache_dtype="fp8"), "data_parallel", "vllm"),
    ],
)
def test_what_one_lacks_names_the_other(engine: str, deploy: Deploy, key: str, other: str) -> None:
    ((found, said, remedy),) = gaps(engine, deploy)
    assert (found, bool(said)) == (key, True)
    assert f"deploy.engine: {other}" in remedy
    assert not list(gaps(other, deploy)), "the other has it"


def test_a_usual_block_is_for_both() -> None:
    usual = Deploy(
        tensor_parallel=2, data_parallel=2, max_length=64, dtype="bfloat16", quantization="awq",
        kv_cache_dtype="fp8_e5m2", gpu_memory_share=0.5, max_concurrency=4, prefix_caching=False,
        tool_parser="x", reasoning_parser="y", log_requests=True, tls={"certificate": Path("c")},
    )  # fmt: skip
    assert not list(gaps("vllm", usual))
    assert [key for key, _, _ in gaps("lmdeploy", usual)] == ["data_parallel"]  # for its fp8 cache
    assert set(LMDEPLOY_DRAFTS) - set(VLLM_DRAFTS) == {"hy3_mtp"}


def test_the_dummy_has_none_of_it() -> None:
    asked = Deploy(adapters={}, speculative=NGRAM, tls={"certificate": Path("c")})
    assert [key for key, _, _ in gaps("dummy", asked)] == ["adapters", "speculative", "tls"]


JOB = """\
name: bot
model: ./m
deploy:
  engine: lmdeploy
  kv_cache_memory: 1GiB
"""


def test_it_is_said_at_the_key_and_before_a_gpu_is_missed(ftctl: Cli) -> None:
    write_model(ftctl.cwd / "m")
    (ftctl.cwd / "job.yaml").write_text(JOB)
    said = ftctl("validate", "job.yaml", code=2).err
    assert said.startswith("job.yaml:5:20: deploy.kv_cache_memory: LMDeploy takes a share of the free memory")
    assert "or set deploy.engine: vllm" in said
    (ftctl.cwd / "job.yaml").write_text(JOB.replace("kv_cache_memory: 1GiB", "tensor_parallel: 1"))
    ftctl("validate", "job.yaml", code=0)
    for verb in ("plan", "deploy"):
        refused = ftctl(verb, "job.yaml", code=4).err
        assert "LMDeploy needs an NVIDIA GPU and this machine has none" in refused
        assert "set deploy.engine: vllm" in refused
    (ftctl.cwd / "job.yaml").write_text(JOB.replace("kv_cache_memory: 1GiB", "gpus: 0"))
    assert "LMDeploy serves on GPUs alone" in ftctl("validate", "job.yaml", code=2).err


def test_the_choice_is_shown_with_its_reason(ftctl: Cli) -> None:
    write_model(ftctl.cwd / "m")
    (ftctl.cwd / "job.yaml").write_text("name: bot\nmodel: ./m\ndeploy: {}\n")
    shown = {one["key"]: one for one in ftctl("plan", "job.yaml", "--json", code=0).data["choices"]}
    assert shown["deploy.engine"]["value"] == "vllm"
    assert shown["deploy.engine"]["reason"] == "it is to serve on the CPU, and LMDeploy needs a GPU"
