"""Broken at random: whatever the files hold, the answer is a plan or a JobError, and soon.

A few hundred cases run with the unit tests; `make fuzz` runs tens of thousands (FTCTL_FUZZ a test).
"""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ftctl.errors import JobError
from ftctl.job.load import draft, job_schema
from ftctl.job.shape import levels
from ftctl.prepare import prepare
from ftctl.view.reports import as_json, github, junit, sarif
from ftctl.view.reports.model import Checked, Report
from tests.unit.test_bad_input import write_model

CASES = int(os.environ.get("FTCTL_FUZZ", "0"))
ENVIRON = {"HOME": "/", "PATH": os.defpath, "HERE": "yes"}

# No database: the unit tests write nothing into the checkout. Quick runs are the same every time.
fuzz = settings(
    max_examples=CASES or 80,
    derandomize=not CASES,
    database=None,
    deadline=timedelta(seconds=30),
    phases=tuple(Phase) if CASES else (Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)

VALID = """\
name: support-bot
model: {path: model, template: qwen3}
data:
  train: [rows.jsonl, {path: rows.jsonl, format: alpaca, columns: {prompt: instruction}}]
  eval: 0.05
train:
  method: lora
  epochs: 3
  learning_rate: 1e-4
  batch_size: 64
  packing: neat
  warmup: 0.1
  lora: {rank: 16, targets: [q_proj]}
  quantization: {bits: 4}
  checkpoints: {every: 500, keep: 2}
  native: &n {seed: 5}
resources: {gpus: [0, 1]}
deploy: {engine: vllm, kv_cache_memory: 64MiB, native: *n}
"""
BITS = [
    *"[]{}:,-?&*!|>'\"%@`#~\t\n \\$", "99999999999999999999", "''", ": ", "${env:X}", "${env:HERE}",
    "null", "true", "1e999", ".nan", "-1", "[[]]", "{}", "é", "客", "\x00", '"\\ud800"', '"\\x1b[2J"',
    "<<: *n", "!!int ", "!!float 1e999", "!x ", "&a ", "*n", "0x", "---\n", "...", "? ", "- ", "../", "~/",
    "/dev/zero", "/proc/self/mem", "rows.jsonl/x", "9" * 500,
]  # fmt: skip
OVERRIDES = [
    "train=1", "train.lora=null", "data.train[0]=", "a.b.c=d", "model.path.x=1", "deploy=[", "=", "[0]=1",
    "train.native={a: b}", "data.train.1.columns.messages=x", "resources.gpus=[", "name=", "data=null",
    "model=[1]", "data.train[99999999999999999999]=x", "train.epochs=${env:X}", "train.epochs=.inf",
]  # fmt: skip
KEYS = sorted({key for _, names in levels(job_schema()) for key in names})
ROW = '{"instruction": "What is it?", "output": "It is this."}\n'

keys = st.sampled_from(KEYS) | st.text(max_size=8)
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.sampled_from(BITS)
)
words = st.sampled_from(
    [".", "model", "rows.jsonl", "lora", "full", "auto", "all", "vllm", "4", "x/y", "epoch"]
)
trees = st.recursive(
    scalars | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


def level(schema: Any, depth: int = 0) -> SearchStrategy[Any]:
    """Values that a schema might take, with some that it does not."""
    forms = [level(form, depth) for form in schema.get("anyOf", ())]
    examples = [st.just(example) for example in schema.get("examples", ())]
    if schema.get("properties") and depth < 3:
        below = {key: level(child, depth + 1) for key, child in schema["properties"].items()}
        picked = st.lists(st.sampled_from(sorted(below)), max_size=6, unique=True)
        forms.append(picked.flatmap(lambda chosen: st.fixed_dictionaries({k: below[k] for k in chosen})))
    return st.one_of(
        *examples, *examples, *forms, trees if depth else st.dictionaries(keys, trees, max_size=3)
    )


BLOCKS = job_schema()["properties"]
PLAIN = {"name": "a", "model": "model", "data": {"train": "rows.jsonl"}, "train": {}}
near = st.sampled_from(sorted(BLOCKS)).flatmap(
    lambda key: level(BLOCKS[key], 1).map(lambda value: {**PLAIN, key: value})
)
documents = level(job_schema()) | near
edits = st.tuples(st.integers(0, len(VALID)), st.integers(0, 12), st.sampled_from(BITS) | st.text(max_size=3))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "model").mkdir()
    write_model(folder / "model")
    (folder / "rows.jsonl").write_text(ROW * 200)
    return folder


def answer(folder: Path, text: bytes, overrides: list[str] | None = None) -> bool:
    """Check `text` as a job as far as `ftctl validate` does; true where it is valid. No other way out."""
    path = folder / "job.yaml"
    path.write_bytes(text)
    try:
        prepare(draft(path, tuple(overrides or ()), environ=ENVIRON), environ=ENVIRON, anywhere=True)
    except JobError as error:
        clean(error, text)
        return False
    return True


def clean(error: JobError, text: bytes) -> None:
    """Every problem has words, a place that exists, and every format can say it."""
    assert error.problems
    lines = 1 + sum(text.count(end) for end in (b"\n", b"\r", b"\xc2\x85", b"\xe2\x80\xa8", b"\xe2\x80\xa9"))
    for problem in error.problems:
        assert problem.message
        assert problem.kind
        assert str(problem).isprintable()
        assert problem.line <= lines + 1 or not problem.file.endswith("job.yaml")
    report = Report((Checked("job.yaml", problems=error.problems),))
    for form in (as_json, github, junit, sarif):
        assert form.write(report, Path("/")).encode()


def edited(text: str, changes: list[tuple[int, int, str]]) -> str:
    for at, length, new in changes:
        text = text[:at] + new + text[at + length :]
    return text


@given(document=documents, as_yaml=st.booleans(), overrides=st.lists(st.sampled_from(OVERRIDES), max_size=2))
@fuzz
def test_documents(folder: Path, document: Any, as_yaml: bool, overrides: list[str]) -> None:
    try:
        text = yaml.safe_dump(document) if as_yaml else json.dumps(document)
    except yaml.YAMLError:  # PyYAML cannot write every text that it can be given
        text = json.dumps(document)
    event("valid" if answer(folder, text.encode("utf-8", "surrogatepass"), overrides) else "refused")


@given(
    changes=st.lists(edits, max_size=4),
    shuffled=st.none() | st.randoms(use_true_random=False),
    overrides=st.lists(st.sampled_from(OVERRIDES), max_size=1),
)
@fuzz
def test_mutated_jobs(folder: Path, changes: list[Any], shuffled: Any, overrides: list[str]) -> None:
    lines = edited(VALID, changes).splitlines(keepends=True)
    if shuffled is not None:
        shuffled.shuffle(lines)
    text = "".join(lines).encode("utf-8", "surrogatepass")
    event("valid" if answer(folder, text, overrides) else "refused")


@given(
    text=st.binary(max_size=200)
    | st.text(alphabet="abc: \n\t-[]{}'\"#&*!|>%@?,~.0123\\", max_size=120).map(str.encode)
    | st.tuples(edits, st.binary(max_size=6)).map(
        lambda pair: VALID.encode()[: pair[0][0]] + pair[1] + VALID.encode()[pair[0][0] :]
    )
)
@fuzz
def test_bytes(folder: Path, text: bytes) -> None:
    event("valid" if answer(folder, text) else "refused")


@given(
    rows=st.binary(max_size=120)
    | st.lists(edits, max_size=3).map(lambda changes: edited(ROW * 3, changes).encode("utf-8", "replace"))
    | st.lists(trees.map(lambda tree: json.dumps(tree).encode()), max_size=4).map(b"\n".join)
    | st.lists(trees, max_size=4).map(lambda tree: json.dumps(tree).encode())
)
@fuzz
def test_rows_of_data(folder: Path, rows: bytes) -> None:
    (folder / "other.jsonl").write_bytes(rows)
    text = b"name: a\nmodel: model\ndata: {train: other.jsonl}\ntrain: {}\n"
    event("valid" if answer(folder, text) else "refused")


@given(
    config=st.binary(max_size=60)
    | trees.map(lambda tree: json.dumps(tree).encode())
    | st.dictionaries(
        st.sampled_from(["architectures", "model_type", "text_config", "num_hidden_layers", "hidden_size"]),
        trees,
    ).map(lambda tree: json.dumps({"architectures": ["X"], **tree}).encode()),
    name=st.sampled_from(["config.json", "tokenizer_config.json", "model.safetensors"]),
)
@fuzz
def test_model_folders(folder: Path, config: bytes, name: str) -> None:
    odd = folder / "odd"
    odd.mkdir(exist_ok=True)
    write_model(odd)
    (odd / name).write_bytes(config)
    text = b"name: a\nmodel: ./odd\ndata: {train: rows.jsonl}\ntrain: {}\ndeploy: {}\n"
    event("valid" if answer(folder, text) else "refused")


def test_what_is_mutated_is_valid(folder: Path) -> None:
    assert answer(folder, VALID.encode())
