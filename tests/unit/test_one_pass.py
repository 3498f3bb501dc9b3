"""Everything that is wrong is said in one run, and nothing that is right once the rest is mended."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ftctl.errors import JobError, Problem, UsageError
from ftctl.facts.asked import Asked
from ftctl.job.doubt import Doubt
from ftctl.job.load import draft
from ftctl.job.node import dotted
from ftctl.looked_up import look_up
from ftctl.plan.model import Plan
from ftctl.plan.train import plan_train
from ftctl.prepare import load_job, prepare
from ftctl.rules.doubt import sources
from ftctl.trainers.llamafactory_templates import TEMPLATES
from ftctl.trainers.table import trainer_of
from tests.model_files import safetensors, write_model

ENVIRON = {"HOME": "/nowhere", "PATH": "/usr/bin"}
ROW = {"instruction": "Why?", "output": "So."}
SHAPES = {"model.embed_tokens.weight": [8, 4], "model.layers.0.self_attn.q_proj.weight": [4, 4]}
RICH = """\
name: rich
model: {path: ./model, template: qwen3, trust_remote_code: false, hub: huggingface}
data:
  train:
    - {path: rows.jsonl, format: alpaca, columns: {prompt: instruction}, max_samples: 30, weight: 1}
    - {path: more.jsonl, weight: 2}
  eval: 0.1
  mix: interleave_under
  workers: 1
train:
  task: sft
  engine: llamafactory
  method: lora
  epochs: 1
  max_steps: 10
  learning_rate: 1.0e-4
  batch_size: 8
  micro_batch_size: 2
  max_length: 64
  packing: neat
  scheduler: cosine
  warmup: 0.1
  weight_decay: 0.1
  max_grad_norm: 1.0
  optimizer: adamw_torch
  seed: 1
  precision: bf16
  attention: sdpa
  gradient_checkpointing: true
  eval_every: 5
  log_every: 1
  lora: {rank: 8, alpha: 16, dropout: 0.1, targets: [q_proj], rslora: true, dora: false}
  quantization: {bits: 4, method: bnb, type: nf4, double: true}
  checkpoints: {every: 5, keep: 2, weights_only: false}
  native: {load_best_model_at_end: true, loraplus_lr_ratio: 16.0, greater_is_better: false}
resources: {gpus: 2, launcher: local, nodes: 1}
deploy:
  engine: vllm
  name: served
  host: 0.0.0.0
  port: 8000
  api_key: ${env:KEY}
  adapter: attach
  max_length: 64
  dtype: float16
  gpus: 2
  tensor_parallel: 2
  gpu_memory_share: 0.5
  native: {seed: 1}
silence: []
"""
DOCUMENT: dict[str, Any] = yaml.safe_load(RICH)
WRONG: dict[type, Any] = {str: [{}], int: "five", float: "much", bool: "perhaps", list: 7.5, dict: 7.5}


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every key and item of a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in inner:
        yield (*path, key)
        yield from leaves(below, (*path, key))


def put(path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    """The rich job with another value at `path`."""
    document = copy.deepcopy(DOCUMENT)
    node: Any = document
    for part in path[:-1]:
        node = node[part]
    node[path[-1]] = value
    return document


def at(path: tuple[str | int, ...]) -> Any:
    node: Any = DOCUMENT
    for part in path:
        node = node[part]
    return node


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("one_pass")
    (write_model(folder / "model") / "model.safetensors").write_bytes(safetensors(SHAPES))
    for number, name in enumerate(("rows", "more")):
        rows = [{**ROW, "input": f"{number} {line}"} for line in range(40)]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "bad.jsonl").write_text('{"instruction": "Why?"\n')
    return folder


@pytest.fixture(scope="module")
def asked() -> Asked:
    return Asked()


def planned(folder: Path, document: dict[str, Any], asked: Asked | None = None) -> Plan:
    path = folder / "job.yaml"
    path.write_text(json.dumps(document, indent=1))
    return prepare(draft(path, environ=ENVIRON), environ=ENVIRON, anywhere=True, asked=asked)


def errors(folder: Path, document: dict[str, Any], asked: Asked | None = None) -> list[Problem]:
    try:
        planned(folder, document, asked)
    except JobError as error:
        return [problem for problem in error.problems if problem.level == "error"]
    return []


def test_the_rich_job_is_valid(folder: Path, asked: Asked) -> None:
    assert errors(folder, DOCUMENT, asked) == []


@pytest.mark.parametrize("path", [*leaves(DOCUMENT)], ids=[dotted(path) for path in leaves(DOCUMENT)])
def test_one_wrong_key_is_one_error(folder: Path, asked: Asked, path: tuple[str | int, ...]) -> None:
    said = errors(folder, put(path, WRONG[type(at(path))]), asked)
    assert [problem.key for problem in said] == [dotted(path)]


# Each has its mistake alone in `alone`; beside a wrong `train.epochs` it is said as well.
ALSO: dict[str, tuple[tuple[str | int, ...], Any, str]] = {
    "a row": (("data", "train", 1, "path"), "bad.jsonl", ""),
    "a folder": (("model", "path"), "./gone", "model.path"),
    "a template": (("model", "template"), "qwen33", "model.template"),
    "a target": (("train", "lora", "targets"), ["k_proj"], "train.lora.targets"),
    "a length": (("train", "max_length"), 65, "train.max_length"),
    "a rule": (("train", "native"), {"use_galore": True}, "train.native.use_galore"),
    "a name": (("train", "native"), {"use_galor": True}, "train.native.use_galor"),
    "a file": (("train", "native"), {"deepspeed": "gone.json"}, "train.native.deepspeed"),
    "a placement": (("deploy", "max_length"), 65, "deploy"),
}


@pytest.mark.parametrize("case", ALSO)
def test_what_is_found_late_is_said_beside_a_wrong_key(folder: Path, asked: Asked, case: str) -> None:
    path, value, key = ALSO[case]
    alone = errors(folder, put(path, value), asked)
    assert key in [problem.key for problem in alone]
    document = put(path, value)
    document["train"]["epochs"] = "many"
    both = errors(folder, document, asked)
    assert [problem for problem in both if problem.key != "train.epochs"] == alone
    assert len(both) == len(alone) + 1


def test_it_is_said_of_no_value_that_is_not_known(folder: Path, asked: Asked) -> None:
    """A wrong model says nothing of the adapter's targets, a wrong task nothing of the rows."""
    document = put(("train", "lora", "targets"), ["k_proj"])
    document["model"] = 5
    document["data"]["train"][1]["path"] = "bad.jsonl"
    document["train"]["task"] = "sfd"
    assert [problem.key for problem in errors(folder, document, asked)] == ["model", "train.task"]


def test_a_misspelt_silence_silences_the_rule_that_is_meant(folder: Path, asked: Asked) -> None:
    document = put(("train", "native"), {"use_galore": True})
    document["silence"] = ["lora-without-memory-optimiser"]
    assert [problem.key for problem in errors(folder, document, asked)] == ["silence[0]"]
    document["silence"] = ["xyz"]
    assert [p.key for p in errors(folder, document, asked)] == ["train.native.use_galore", "silence[0]"]


CHANGES: dict[str, Any] = {
    "model.path": "Qwen/Qwen3-0.6B", "model.template": "chatml", "model.trust_remote_code": True,
    "model.hub": "modelscope", "data.eval": 5, "data.mix": "interleave_over", "data.workers": 2,
    "data.train.1.weight": 5, "train.method": "full", "train.epochs": 2, "train.max_steps": 3,
    "train.learning_rate": 1e-5, "train.batch_size": 16, "train.micro_batch_size": 1, "train.max_length": 32,
    "train.packing": None, "train.scheduler": "linear", "train.warmup": 2, "train.weight_decay": 0,
    "train.max_grad_norm": 2, "train.optimizer": "sgd", "train.seed": 2, "train.precision": "fp16",
    "train.attention": "fa2", "train.gradient_checkpointing": False, "train.eval_every": 2,
    "train.log_every": 2, "train.kernels": ["liger"], "train.lora.rank": 4, "train.lora.alpha": 2,
    "train.lora.dropout": 0, "train.lora.targets": [], "train.lora.rslora": False, "train.lora.dora": True,
    "train.quantization.bits": 8, "train.quantization.method": "hqq", "train.quantization.type": "fp4",
    "train.quantization.double": False, "train.checkpoints.every": 2, "train.checkpoints.keep": None,
    "train.checkpoints.weights_only": True, "resources.gpus": 1,
}  # fmt: skip
SHORTER = ("train.lora.alpha", "train.precision", "train.learning_rate", "train.batch_size",
           "train.micro_batch_size", "train.gradient_checkpointing", "train.eval_every")  # fmt: skip


@pytest.mark.parametrize("short", [False, True], ids=["all is written", "much is derived"])
@pytest.mark.parametrize("key", CHANGES)
def test_every_argument_that_a_key_changes_is_known_to_follow_from_it(
    folder: Path, asked: Asked, key: str, short: bool
) -> None:
    def arguments(document: dict[str, Any]) -> dict[str, Any]:
        gone = SHORTER if short else ()
        for name in (*gone, *(("train.lora", "train.quantization") if key == "train.method" else ())):
            _, *middle, last = name.split(".")
            (document["train"].get(middle[0], {}) if middle else document["train"]).pop(last, None)
        path = folder / "job.yaml"
        path.write_text(json.dumps(document, indent=1))
        found = look_up(draft(path, environ=ENVIRON).job, folder, environ=ENVIRON, asked=asked, anywhere=True)
        assert found.job.train is not None
        decided, _ = plan_train(found.job, found.job.train, found.facts, TEMPLATES)
        plan = Plan(found.job, found.facts, decided, None, ())
        return dict(trainer_of(plan).arguments(plan))

    parts = tuple(int(part) if part.isdigit() else part for part in key.split("."))
    before, after = arguments(copy.deepcopy(DOCUMENT)), arguments(put(parts, CHANGES[key]))
    changed = {name for name in {*before, *after} if before.get(name, "…") != after.get(name, "…")}
    doubt = Doubt(frozenset({dotted(parts)}))
    # Not an argument; not with quantization; ftctl holds the rows out itself.
    assert changed or short or key in ("model.hub", "train.lora.dora", "data.eval")
    assert {name for name in changed if not doubt.within(*sources(name, frozenset()))} == set()


def test_what_this_machine_lacks_is_not_said_in_place_of_mistakes(folder: Path) -> None:
    path = folder / "job.yaml"
    path.write_text(
        "name: a b\nmodel: ./model\ndata: {train: rows.jsonl}\ntrain: {}\nresources: {gpus: 99}\n"
    )
    with pytest.raises(JobError) as caught:
        prepare(draft(path, environ=ENVIRON), environ=ENVIRON)
    assert [problem.key for problem in caught.value.problems] == ["name"]


@pytest.mark.parametrize("gpus", ["0", "2", "0,1", "all"])
def test_gpus_of_the_command_line(folder: Path, gpus: str) -> None:
    path = folder / "job.yaml"
    path.write_text("name: a\nmodel: ./model\ndeploy: {}\n")
    wanted = {"0": 0, "2": 2, "0,1": (0, 1), "all": "all"}[gpus]
    job = load_job(path, (), gpus).job
    assert (job.resources.gpus, job.overrides) == (
        wanted, (f"resources.gpus={'[0,1]' if gpus == '0,1' else gpus}",)
    )  # fmt: skip
    assert load_job(path, (f"resources.gpus={'[0, 1]' if gpus == '0,1' else gpus}",), gpus).problems == ()
    with pytest.raises(UsageError, match=f"--gpus {gpus} and resources.gpus: 7 disagree"):
        load_job(path, ("resources.gpus=7",), gpus)


def test_bad_gpus_of_the_command_line_are_a_problem(folder: Path) -> None:
    path = folder / "job.yaml"
    path.write_text("name: a\nmodel: ./model\ndeploy: {}\n")
    (problem,) = load_job(path, (), "many").problems
    assert (problem.file, problem.key) == ("--set resources.gpus=many", "resources.gpus")


def test_warnings_are_shown_beside_errors(folder: Path, asked: Asked) -> None:
    document = put(("model", "template"), "default")
    document["train"]["epochs"] = "many"
    with pytest.raises(JobError) as caught:
        planned(folder, document, asked)
    assert [(p.key, p.level) for p in caught.value.problems] == [
        ("model.template", "warning"), ("train.epochs", "error")
    ]  # fmt: skip


def test_of_another_engine_only_native_arguments_are_known_by_their_key() -> None:
    doubt = Doubt(frozenset({"train.epochs"}))
    assert doubt.within(*sources("temperature", frozenset(), "flagembedding"))
    assert not doubt.within(*sources("fp16", frozenset({"train.native.fp16"}), "flagembedding"))


def test_a_key_goes_also_where_its_place_was_told_of_something_else(tmp_path: Path) -> None:
    job = tmp_path / "job.yaml"
    job.write_text("name: a\nmodel: org/m\ndeploy: {engine: vllm,!kv_cache_memory: 6 native: {seed: 5}}\n")
    (found,) = draft(job, environ=ENVIRON).problems
    assert "tag !kv_cache_memory: is not known" in found.message
