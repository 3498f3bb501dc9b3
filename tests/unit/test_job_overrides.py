"""What `--set` and references to the environment make of a job."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ftctl.job.load import load
from ftctl.job.model import Job
from tests.written_jobs import HEAD, Write, deploy_of, refused, writer


@pytest.fixture
def write(tmp_path: Path) -> Write:
    return writer(tmp_path)


@pytest.mark.parametrize(
    ("override", "read"),
    [
        ("train.learning_rate=2e-5", lambda job: job.train.learning_rate == 2e-5),
        ("train.epochs=5", lambda job: job.train.epochs == 5.0),
        ("train.max_steps=null", lambda job: job.train.max_steps is None),
        ("train.seed=null", lambda job: job.train.seed == 42),
        ("name=123", lambda job: job.name == "123"),
        ("name=on", lambda job: job.name == "on"),
        ("name='quoted'", lambda job: job.name == "quoted"),
        (
            "model.template=true",
            lambda job: (job.model.path, job.model.template) == ("Qwen/Qwen3-0.6B", "true"),
        ),
        ("model=./base", lambda job: job.model.local),
        ("data.train=[rows.jsonl, more.json]", lambda job: len(job.data.train) == 2),
        ("data.train[0].max_samples=3", lambda job: job.data.train[0].max_samples == 3),
        ("data.train.0.format=openai", lambda job: job.data.train[0].format == "openai"),
        ("data.eval=more.json", lambda job: job.data.eval[0].path.name == "more.json"),
        ("data.eval=0.1", lambda job: job.data.eval_share == 0.1),
        ("train.lora.rank=64", lambda job: job.train.lora.rank == 64),
        ("train.lora.targets=[q_proj,v_proj]", lambda job: job.train.lora.targets == ("q_proj", "v_proj")),
        ("train.quantization=8", lambda job: job.train.quantization.bits == 8),
        ("train.quantization={bits: 4, type: fp4}", lambda job: job.train.quantization.type == "fp4"),
        ("train.packing=neat", lambda job: job.train.packing == "neat"),
        ("train.native.adam_epsilon=1e-3", lambda job: job.train.native["adam_epsilon"] == 0.001),
        ("train.native.run_name=null", lambda job: job.train.native == {"run_name": None}),
        ("resources.gpus=[1,3]", lambda job: job.resources.gpus == (1, 3)),
        ("resources.gpus=all", lambda job: job.resources.gpus == "all"),
        ("deploy.port=8000", lambda job: job.deploy.port == 8000),
        ("deploy.kv_cache_memory=2GiB", lambda job: job.deploy.kv_cache_memory == 2 << 30),
        ("deploy=null", lambda job: job.deploy is None),
        ("deploy.host=localhost", lambda job: job.deploy.host == "localhost"),
        ("deploy.gpu_memory_share=.5", lambda job: job.deploy.gpu_memory_share == 0.5),
    ],
)
def test_override(write: Write, override: str, read: Callable[[Job], bool]) -> None:
    text = HEAD + "data: {train: [rows.jsonl]}\ntrain: {seed: 1, max_steps: 5}\ndeploy: {engine: vllm}\n"
    job = load(write(text), (override,))
    assert read(job)
    assert job.overrides == (override,)
    assert job.source == text


def test_the_last_override_wins_and_makes_blocks(write: Write) -> None:
    job = load(write(HEAD + "deploy: {}\n"), ("resources.gpus=1", "deploy.port=1", "deploy.port=2"))
    assert (deploy_of(job).port, job.resources.gpus) == (2, 1)
    assert "deploy.port" in job.written
    assert "deploy.port" not in job.places


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("train.lr=1", "--set train.lr=1: train.lr: lr is not a key of train; did you mean learning_rate?"),
        ("trian.epochs=1", "--set trian.epochs=1: trian: trian is not a key of a job; did you mean train?"),
        ("train.epochs=x", '--set train.epochs=x: train.epochs: is text ("x"), a number is wanted'),
        ("train.epochs", "--set train.epochs: this is not KEY=VALUE"),
        ("=1", "--set =1: this is not KEY=VALUE"),
        ("train..epochs=1", "this is not KEY=VALUE"),
        ("train.epochs.x=1", "--set train.epochs.x=1: train.epochs.x: the key above it holds a single value"),
        ("data.train[7].path=x", "data.train[7].path: the list has 1 items and no 7"),
        ("data.train=[a", "--set data.train=[a: data.train: there is no file"),
        ("train.lora={rank: [}", "train.lora: this is not YAML"),
        ("train.lora={rank: 1, rank: 2}", "is here a second time"),
        ("train.task=dpo", "--set train.task=dpo: train.task: dpo: not available in this version"),
        ("name=null", "name: is missing"),
        (
            "deploy.api_key=sk-secret",
            "--set deploy.api_key=…: deploy.api_key: a secret is not written into a job",
        ),
        ("data.train=gone.jsonl", "--set data.train=gone.jsonl: data.train: there is no file"),
    ],
)
def test_override_that_is_refused(write: Write, override: str, says: str) -> None:
    said = refused(write(HEAD + "data: {train: [rows.jsonl]}\ntrain: {epochs: 1}\ndeploy: {}\n"), override)
    assert says in said[0]
    assert not any("sk-secret" in line for line in said)


def test_an_override_leaves_other_aliases_alone(write: Write) -> None:
    text = HEAD + "data: {train: rows.jsonl}\ntrain: {native: &n {seed: 1}}\ndeploy: {native: *n}\n"
    job = load(write(text), ("train.native.seed=2",))
    assert job.train is not None
    assert (job.train.native["seed"], deploy_of(job).native["seed"]) == (2, 1)


def test_references_to_the_environment(write: Write) -> None:
    path = write(
        "name: ${env:WHO}-bot\nmodel: ./${env:MODEL:-base}\ndata: {train: rows.jsonl}\n"
        "train:\n  epochs: ${env:EPOCHS}\n"
        "  native: {run_name: '${env:EPOCHS}', project: '$${x}', hub_revision: \"${env:EMPTY:-full}\"}\n"
        "deploy: {api_key: '${env:KEY}', name: \"${env:EPOCHS}\"}\n"
    )
    job = load(path, environ={"WHO": "my", "EPOCHS": "4", "EMPTY": "", "KEY": "the-secret"})
    assert job.name == "my-bot"
    assert job.model.path == str(path.parent / "base")
    assert job.train is not None
    assert job.train.epochs == 4.0
    assert job.train.native == {"run_name": "4", "project": "${x}", "hub_revision": "full"}
    assert (deploy_of(job).api_key, deploy_of(job).name) == ("${env:KEY}", "4")
    assert "the-secret" not in repr(job)


def test_a_reference_in_an_override(write: Write) -> None:
    job = load(write(HEAD + "deploy: {}\n"), ("deploy.port=${env:PORT}",), environ={"PORT": "8123"})
    assert deploy_of(job).port == 8123
    said = refused(write(HEAD + "deploy: {}\n"), "name=${env:NOPE}")
    assert "--set name=${env:NOPE}: name: the environment variable NOPE is not set" in said[0]
