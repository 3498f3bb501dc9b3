"""A job is held against its model's own files: type, length, adapters' targets, DeepSpeed, the cache."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ftctl.errors import JobError, Problem, UsageError
from ftctl.facts.hub_cache import cache_folder, revision_fault, snapshot
from ftctl.facts.model_dir import model_facts
from ftctl.job.load import load
from ftctl.plan.model import Plan
from ftctl.plan.model_checks import has_module
from ftctl.prepare import prepare
from ftctl.trainers.model_types import OTHERS, TRAINABLE
from tests.model_files import safetensors, write_model
from tests.tokenizer_files import write_tokenizer

SHAPES = {
    "model.embed_tokens.weight": [8, 4],
    "model.layers.0.self_attn.q_proj.weight": [4, 4],
    "model.layers.1.self_attn.q_proj.weight": [4, 4],
    "model.layers.1.mlp.experts.7.up_proj.weight": [4, 4],
    "model.norm.weight": [4],
}
ENVIRON = {"HOME": "/nowhere", "PATH": "/usr/bin"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a model and rows; `planned` writes the job into it."""
    model = write_tokenizer(write_model(tmp_path / "model"))
    (model / "model.safetensors").write_bytes(safetensors(SHAPES))
    rows = [{"instruction": f"Question {number}?", "output": "Yes. " * number} for number in range(1, 9)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def config(folder: Path, **changes: object) -> None:
    path = folder / "model" / "config.json"
    kept = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: value for key, value in kept.items() if value is not None}))


def planned(folder: Path, *lines: str, model: str = "./model", offline: bool = False) -> Plan:
    text = ["name: x", f"model: {model}", "data: {train: rows.jsonl}", "resources: {gpus: 0}"]
    text += ["train:", "  batch_size: 1"]
    (folder / "job.yaml").write_text("\n".join([*text, *lines]) + "\n")
    job = load(folder / "job.yaml", (), environ=ENVIRON)
    return prepare(job, environ={**ENVIRON, "HF_HOME": str(folder / "hf")}, anywhere=True, offline=offline)


def problem_of(folder: Path, *lines: str, **how: Any) -> Problem:
    with pytest.raises(JobError) as caught:
        planned(folder, *lines, **how)
    (problem,) = caught.value.problems
    assert problem.remedy
    return problem


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model_type": "qwen33"}, "the model type qwen33 is not known to LLaMA-Factory 0.9.5"),
        ({"model_type": "clip", "architectures": ["CLIPModel"]}, "clip (CLIPModel) is no language model"),
        ({"model_type": None}, "has no model_type"),
        ({"model_type": "own", "auto_map": {"AutoModel": "x.Y"}}, "is code of the model's own"),
    ],
)
def test_an_architecture_that_the_engine_does_not_know(
    folder: Path, changes: Mapping[str, object], said: str
) -> None:
    config(folder, **changes)
    problem = problem_of(folder)
    assert (problem.line, problem.key) == (2, "model") and said in problem.message


def test_code_of_the_models_own_may_be_allowed(folder: Path) -> None:
    config(folder, model_type="own", auto_map={"AutoModelForCausalLM": "x.Y"})
    assert planned(folder, model="{path: ./model, trust_remote_code: true}").facts.model.own_code


def test_the_list_of_model_types() -> None:
    assert {"qwen3", "llama", "gemma3", "mistral", "glm4", "deepseek_v3"} <= TRAINABLE
    assert "clip" in OTHERS and not TRAINABLE & OTHERS


def test_a_length_beyond_the_context(folder: Path) -> None:
    problem = problem_of(folder, "  max_length: 65")
    assert (problem.line, problem.column, problem.key) == (7, 15, "train.max_length")
    assert "is 65, and the model reads 64 tokens at most" in problem.message
    assert planned(folder, "  max_length: 64").train is not None
    assert planned(folder, "  max_length: 65", "  native: {rope_scaling: yarn}").train is not None


def test_a_default_length_beyond_the_context_is_a_warning_where_rows_are_long(folder: Path) -> None:
    assert planned(folder).warnings == ()
    (folder / "rows.jsonl").write_text(json.dumps({"instruction": "a", "output": "Yes. " * 20}) + "\n")
    (warning,) = planned(folder).warnings
    assert (warning.key, warning.level) == ("train.max_length", "warning")
    assert "is 2048 by default, and the model reads 64" in warning.message


@pytest.mark.parametrize(
    ("lines", "key"),
    [
        ("  lora: {targets: [q_proj, qproj]}", "train.lora.targets"),
        ("  native: {lora_target: 'q_proj, qproj'}", "train.native.lora_target"),
    ],
)
def test_lora_targets_that_the_weights_do_not_have(folder: Path, lines: str, key: str) -> None:
    problem = problem_of(folder, "  method: lora", lines)
    assert (problem.line, problem.key) == (8, key)
    assert problem.message == 'the model has no module "qproj"' and problem.remedy == "it has q_proj, up_proj"


def test_targets_match_as_peft_matches_them(folder: Path) -> None:
    modules = model_facts(folder / "model").modules
    assert modules == (
        "model.embed_tokens",
        "model.layers.*.mlp.experts.*.up_proj",
        "model.layers.*.self_attn.q_proj",
    )
    for target in ("q_proj", "self_attn.q_proj", "model.layers.1.self_attn.q_proj", "experts.0.up_proj"):
        assert has_module(modules, target), target
    for target in ("proj", "norm", "self_attn", "attn.q_proj", "layers"):
        assert not has_module(modules, target), target


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "ds.json: there is no such file"),
        ('{"a": 1,\n}', "ds.json:2:1: not valid JSON"),
        ("[]", "holds no JSON object"),
        ("{}", "has no zero_optimization"),
        ('{"zero_optimization": {"stage": 4}}', "stage is 4"),
        ('{"zero_optimization": {"stage": true}}', "stage is True"),
        ('{"zero_optimization": {"stage": 2}, "train_batch_size": 8}', "train_batch_size is 8"),
    ],
)
def test_deepspeed_files_that_cannot_be_used(folder: Path, text: str | None, said: str) -> None:
    if text is not None:
        (folder / "ds.json").write_text(text)
    problem = problem_of(folder, "  native: {deepspeed: ds.json}")
    assert (problem.line, problem.key) == (7, "train.native.deepspeed") and said in problem.message


def test_a_deepspeed_file_is_found_from_the_job_file(folder: Path) -> None:
    (folder / "ds.json").write_text('{"zero_optimization": {"stage": 3}, "train_batch_size": "auto"}')
    silence = "silence: [deepspeed-needs-processes]"
    train = planned(folder, "  native: {deepspeed: ds.json}", silence).job.train
    assert train is not None and train.native["deepspeed"] == str(folder / "ds.json")


def cached(folder: Path) -> Path:
    """The model as huggingface_hub keeps it: `main` is a commit."""
    commit = "0123456789" * 4
    place = folder / "hf" / "hub" / "models--org--name"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text(commit)
    (place / "snapshots").mkdir()
    (folder / "model").rename(place / "snapshots" / commit)
    return place / "snapshots" / commit


def test_offline_a_hub_model_is_the_one_in_the_cache(folder: Path) -> None:
    found = cached(folder)
    plan = planned(folder, "  max_length: 64", model="org/name", offline=True)
    assert plan.job.model.path == str(found) and plan.job.model.local
    assert plan.facts.model.parameters and any("local cache" in choice.reason for choice in plan.choices)
    assert not planned(folder, model="org/name").facts.model.local
    assert "reads 64 tokens" in problem_of(folder, "  max_length: 65", model="org/name", offline=True).message


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("org/other", "org/other is not in the local cache"),
        ("{path: org/name, revision: v2}", "but not its revision v2"),
        ("{path: org/name, hub: modelscope}", "only Hugging Face's cache"),
    ],
)
def test_offline_what_is_not_in_the_cache_is_refused(folder: Path, model: str, said: str) -> None:
    cached(folder)
    problem = problem_of(folder, model=model, offline=True)
    assert (problem.line, problem.key) == (2, "model") and said in problem.message


def test_a_commit_is_a_revision(folder: Path) -> None:
    found = cached(folder)
    environ = {"HF_HUB_CACHE": str(folder / "hf" / "hub")}
    assert snapshot("org/name", found.name, environ) == found
    with pytest.raises(UsageError, match="not its revision"):
        snapshot("org/name", "f" * 40, environ)


def test_where_the_cache_is() -> None:
    assert cache_folder({"HF_HUB_CACHE": "/a", "HF_HOME": "/b"}) == Path("/a")
    assert cache_folder({"HF_HOME": "/b"}) == Path("/b/hub")
    assert cache_folder({"XDG_CACHE_HOME": "/c"}) == Path("/c/huggingface/hub")
    assert cache_folder({"HOME": "/d"}) == Path("/d/.cache/huggingface/hub")


def test_a_folder_has_no_revision(folder: Path) -> None:
    problem = problem_of(folder, model="{path: ./model, revision: v2}")
    assert problem.key == "model.revision"
    assert "a folder has no revisions" in problem.message


@pytest.mark.parametrize("revision", ["a b", "../x", "-x", "a..b", "x.lock", "a~1", "a//b", "refs/", "@"])
def test_revisions_of_no_form(folder: Path, revision: str) -> None:
    assert revision_fault(revision)
    problem = problem_of(folder, model=f"{{path: org/name, revision: {json.dumps(revision)}}}")
    assert problem.key == "model.revision" and "is no branch, tag or commit" in problem.message


@pytest.mark.parametrize("revision", ["main", "v1.0", "refs/pr/3", "feature/x", "a" * 40])
def test_revisions(revision: str) -> None:
    assert revision_fault(revision) is None


def test_rows_that_max_length_cuts_are_a_warning(folder: Path) -> None:
    (warning,) = planned(folder, "  max_length: 16").warnings
    assert (warning.line, warning.key, warning.level) == (7, "train.max_length", "warning")
    assert "of 8 rows" in warning.message and "longer than its 16 tokens" in warning.message
    assert planned(folder, "  max_length: 60").warnings == ()
