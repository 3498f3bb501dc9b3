"""What the servers' rules say of a deployment: of what it writes, and of what the plan makes of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ftctl.errors import UsageError
from ftctl.job.model import Deploy
from ftctl.plan.serve import plan_serve
from ftctl.rules.check import Report, check_serving
from ftctl.servers.native import nested
from tests.conftest import Cli
from tests.model_files import write_model
from tests.plans import A100, facts, job, machine

JOB = """\
name: served
model: ./m
deploy:
  gpus: 0
  tool_parser: hermes
  quantization: fp8
  native:
    enable-log-outputs: true
    compilation_config.mode: 3
"""
SAID = [
    "job.yaml:6:17: deploy.quantization: works in half precision, and deploy.dtype is float32; "
    "set deploy.dtype: bfloat16 [quantization-needs-half]",
    "job.yaml:8:25: deploy.native.enable-log-outputs: needs deploy.log_requests; "
    "set deploy.log_requests: true, or remove it [log-outputs-needs-requests]",
    "job.yaml:9:30: deploy.native.compilation_config.mode: does nothing with deploy.native.enforce_eager, "
    "which ftctl sets on the CPU; remove it, or set deploy.native.enforce_eager: null "
    "[eager-compiles-nothing]",
]


def told(deploy: Deploy, *, written: tuple[str, ...] = (), silence: tuple[str, ...] = ()) -> Report:
    """What the rules say of a deployment on two GPUs, or on the CPU where it asks for none."""
    made = replace(job(), deploy=deploy, silence=silence, written=frozenset(written))
    known = facts(machine(A100, replace(A100, index=1)), attention_heads=4)
    plan, _ = plan_serve(deploy, name="ft", model=known.model, machine=known.machine)
    return check_serving(made, plan, known)


def test_a_usual_deployment_breaks_no_rule() -> None:
    for deploy in (
        Deploy(gpus=0),
        Deploy(gpus=1),
        Deploy(gpus=2, tool_parser="hermes", prefix_caching=False),
    ):
        assert told(deploy) == Report()


@pytest.mark.parametrize(
    ("deploy", "rule"),
    [
        (Deploy(gpus=0, max_concurrency=4096), "batch-on-the-cpu"),
        (Deploy(gpus=0, native={"enable-sleep-mode": True}), "sleep-on-the-cpu"),
        (Deploy(gpus=1, native={"enable_eplb": True}), "expert-balancing-needs-expert-ranks"),
        (Deploy(gpus=1, gpu_memory_share=0.5, kv_cache_memory=2**30), "share-beside-cache-size"),
        (Deploy(gpus=0, native={"max_loras": 2}), "lora-settings-without-lora"),
        (Deploy(gpus=0, native={"speculative_config": '{"method": "ngram"}'}), "draft-tokens-needed"),
    ],
)
def test_what_is_said_of_a_deployment(deploy: Deploy, rule: str) -> None:
    assert rule in {problem.rule for problem in told(deploy).problems}


def test_the_model_s_heads_are_known_to_the_rules() -> None:
    known = facts(attention_heads=4)
    deploy = Deploy(gpus=0)
    plan, _ = plan_serve(deploy, name="ft", model=known.model, machine=known.machine)
    made = replace(job(), deploy=deploy)
    (problem,) = check_serving(made, replace(plan, tensor_parallel=3), known).problems
    assert (problem.rule, problem.key) == ("heads-share-ranks", "deploy.tensor_parallel")
    assert check_serving(made, replace(plan, tensor_parallel=3), facts()) == Report()


def test_an_adapter_beside_its_base_makes_sense_of_its_settings() -> None:
    deploy = Deploy(gpus=0, adapter="attach", native={"max_loras": 2, "max_cpu_loras": 1})
    known = facts()
    plan, _ = plan_serve(deploy, name="ft", model=known.model, machine=known.machine, adapter="attach")
    (problem,) = check_serving(replace(job(), deploy=deploy), plan, known).problems
    assert problem.rule == "cpu-loras-hold-loras"


def test_a_silenced_rule_is_kept_apart() -> None:
    report = told(Deploy(gpus=0, native={"max_loras": 2}), silence=("lora-settings-without-lora",))
    assert (report.problems, len(report.silenced)) == ((), 1)


def test_a_key_of_a_mapping_goes_into_the_mapping() -> None:
    assert nested({"a-b.c-d": 1, "a_b.e": 2, "--f": None}) == {"a_b": {"c_d": 1, "e": 2}, "f": None}
    assert nested({"a": "{}", "a.b": 1}) == {"a": "{}"}


def test_lmdeploy_s_rules_speak_of_the_job_s_keys() -> None:
    report = told(Deploy(engine="lmdeploy", gpus=1, native={"num_gpu_blocks": 8}))
    assert [(problem.rule, problem.key) for problem in report.problems] == [
        ("pytorch-settings-with-turbomind", "deploy.native.num_gpu_blocks"),
    ]
    fp8 = Deploy(engine="lmdeploy", gpus=1, kv_cache_dtype="fp8", native={"num_gpu_blocks": 8})
    assert told(fp8) == Report(), "an fp8 cache brings the PyTorch engine with it"
    assert told(Deploy(engine="lmdeploy", gpus=1, gpu_memory_share=0.5, prefix_caching=True)) == Report()


@pytest.mark.parametrize(
    "asked",
    [{"kv_cache_memory": 2**30}, {"pipeline_parallel": 2, "tensor_parallel": 1}, {"dtype": "float32"}],
)
def test_what_only_vllm_has_is_refused_by_name(asked: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(asked))) as refused:
        told(Deploy(engine="lmdeploy", gpus=2, **asked))
    assert "engine: vllm" in refused.value.remedy


@pytest.fixture
def folder(ftctl: Cli) -> Path:
    write_model(ftctl.cwd / "m")
    (ftctl.cwd / "job.yaml").write_text(JOB)
    return ftctl.cwd


@pytest.mark.parametrize("verb", ["validate", "plan"])
def test_each_verb_says_it_at_the_job_s_own_line(ftctl: Cli, folder: Path, verb: str) -> None:
    assert ftctl(verb, "job.yaml", code=2).err.splitlines()[:3] == SAID


def test_a_server_that_needs_a_gpu_is_checked_and_then_refused(ftctl: Cli, folder: Path) -> None:
    text = "name: served\nmodel: ./m\ndeploy:\n  engine: lmdeploy\n  native: {tp: 2}\n"
    (folder / "job.yaml").write_text(text)
    ftctl("validate", "job.yaml", code=0)
    for verb in ("plan", "deploy"):
        said = ftctl(verb, "job.yaml", code=4).err
        assert "LMDeploy needs an NVIDIA GPU and this machine has none\n  → set deploy.engine: vllm" in said


def test_deploy_says_it_of_a_job_and_of_a_folder(ftctl: Cli, folder: Path) -> None:
    of_job = ftctl("deploy", "job.yaml", code=2).err.splitlines()[:3]
    assert [line.removeprefix(f"{folder}/") for line in of_job] == SAID
    said = ftctl("deploy", "m", "--set", "gpus=0", "--set", "native.enable_log_outputs=true", code=2).err
    assert said.startswith(
        "--set deploy.native.enable_log_outputs=true: deploy.native.enable_log_outputs: needs"
    )
