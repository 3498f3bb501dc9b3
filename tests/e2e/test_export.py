"""Exports with the real engines: read by transformers, merged, converted, uploaded to a Hub of our own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ftctl.artifacts.verify import file_hashes, verify_adapter, verify_model
from ftctl.export.for_gguf import CHECK
from ftctl.facts.model import EngineFacts
from ftctl.job.model import Deploy, Model
from ftctl.job.training import Train
from ftctl.plan.model import Plan
from ftctl.run.directory import RunDir
from tests import plans
from tests.conftest import DEMO, Cli, TrainedRun
from tests.ended_runs import record
from tests.lora_files import write_lora

pytestmark = pytest.mark.engine

TOKEN = "hf_open_sesame"
# The weights and the chat of two folders, as transformers reads them.
COMPARE = """
import sys, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
one, other = (AutoModelForCausalLM.from_pretrained(path).state_dict() for path in sys.argv[1:])
assert one.keys() == other.keys()
assert all(torch.equal(one[name], other[name]) for name in one)
chat = [{"role": "user", "content": "What is a job?"}]
tokenizers = [AutoTokenizer.from_pretrained(path) for path in sys.argv[1:]]
said = [one.apply_chat_template(chat, tokenize=False) for one in tokenizers]
assert said[0] == said[1], said
"""
# What one layer's weights are once a LoRA of rank 8 and alpha 16 is merged into them.
MERGED = """
import sys, numpy
from safetensors import safe_open
def tensor(path, name):
    with safe_open(path, framework="np") as file:
        return file.get_tensor(name)
base, adapter, merged = sys.argv[1:]
layer = "model.layers.1.mlp.up_proj"
a, b = (tensor(adapter, f"base_model.model.{layer}.lora_{part}.weight") for part in "AB")
expected = tensor(base, f"{layer}.weight") + 2 * b @ a
assert numpy.allclose(tensor(merged, f"{layer}.weight"), expected, atol=1e-4)
assert not numpy.allclose(tensor(base, f"{layer}.weight"), expected, atol=1e-1)
"""


def run_python(python: Path, *argv: object) -> None:
    done = subprocess.run(
        [python, "-c", *map(str, argv)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]


def made_by(python: Path, model: Path, plan: Plan) -> Plan:
    """A plan of this base model, trained by this interpreter."""
    engine = EngineFacts("llamafactory", "cpu", python, installed=True, version="0.9.5")
    facts = replace(plan.facts.model, path=str(model), weight_bytes=1_000_000)
    job = replace(plan.job, model=Model(str(model), local=True))
    return replace(plan, job=job, facts=replace(plan.facts, model=facts, trainer=engine))


def test_what_was_trained_is_read_from_files_of_another_size(
    trained_run: TrainedRun, llamafactory_python: Path
) -> None:
    cli, target = trained_run.cli, trained_run.cli.cwd / "in-shards"
    data = cli("export", "ftctl-qa", target, "--shard-size", "600KB", "--json", code=0).data
    shards = [name for name in data["files"] if name.startswith("model-")]
    assert len(shards) > 2
    run_python(llamafactory_python, COMPARE, trained_run.directory / "output", target)
    card = (target / "README.md").read_text()
    assert "| llamafactory | 0.9.5 |" in card
    assert re.search(r"\| ftctl-qa.jsonl \| training \| alpaca \| 88 \| [0-9a-f]{64} \|", card)
    assert str(cli.home.parent) not in card
    assert str(trained_run.model) not in card
    shown = cli("export", "ftctl-qa", "for-ollama", "--to", "ollama", code=0).out
    assert "gives the tokens of the training in 9 conversations" in shown
    written = (cli.cwd / "for-ollama" / "Modelfile").read_text()
    assert '{{ if eq .Role "user" }}<|im_start|>user\n{{ .Content }}<|im_end|>\n' in written
    assert 'PARAMETER stop "<|im_end|>"' in written


def test_an_adapter_that_was_to_be_attached_is_merged_for_it(
    ftctl: Cli, tiny_model: Path, llamafactory_python: Path
) -> None:
    run = RunDir(ftctl.cwd / "runs" / "lora" / "20260101-120000-abcd")
    adapter = write_lora(run.path / "output", tiny_model, rank=8)
    artifact = verify_adapter(adapter, str(tiny_model))
    run.write_json("artifact.json", artifact)
    run.write_json("adapter.json", artifact)
    plan = plans.plan(Train(method="lora"), deploy=Deploy(adapter="attach"))
    record(run, made_by(llamafactory_python, tiny_model, plan))
    before = sorted(run.path.rglob("*"))
    answer = ftctl("export", run.path, "whole", timeout=300, code=0)
    assert "merging the adapter into its base model" in answer.err
    assert verify_model(ftctl.cwd / "whole").architecture == "Qwen3ForCausalLM"
    places = (tiny_model, adapter, ftctl.cwd / "whole")
    names = ("model.safetensors", "adapter_model.safetensors", "model.safetensors")
    run_python(
        llamafactory_python, MERGED, *(place / name for place, name in zip(places, names, strict=True))
    )
    assert sorted(run.path.rglob("*")) == before, "nothing is written into the run"
    assert [path.name for path in ftctl.cwd.iterdir() if path.name.startswith(".")] == []


def test_gguf_holds_the_models_weights(ftctl: Cli, llamafactory_python: Path) -> None:
    run = RunDir(ftctl.cwd / "runs" / "llama" / "20260101-120000-abcd")
    program = Path(__file__).with_name("write_llama.py")
    argv = [llamafactory_python, program, run.path / "output", DEMO / "ftctl-qa.jsonl"]
    subprocess.run(argv, check=True, capture_output=True, timeout=120)
    run.write_json("artifact.json", verify_model(run.path / "output"))
    record(run, made_by(llamafactory_python, Path("/models/llama"), plans.plan(Train(method="full"))))
    answer = ftctl("export", run.path, "there", "--to", "gguf", "--gguf-type", "f32", timeout=300, code=0)
    assert "21 of 21 tensors hold the model's weights, value by value" in answer.out
    names = {path.name for path in (ftctl.cwd / "there").iterdir()}
    assert names == {"small.gguf", "README.md", "ftctl-export.json"}
    file = ftctl.cwd / "there" / "small.gguf"
    file.write_bytes(file.read_bytes()[:-1] + b"\x7f")  # a number of the last tensor becomes another
    (reader,) = (ftctl.home / "ftctl" / "converters").glob("gguf-reader-*")
    again: list[str | Path] = [llamafactory_python, "-P", CHECK, file, run.path / "output"]
    env = {**os.environ, "PYTHONPATH": str(reader)}
    found = json.loads(subprocess.run(again, env=env, check=True, capture_output=True, timeout=120).stdout)
    assert (found["same"], len(found["other"]), found["tokens"]) == (20, 1, True)


def test_a_tokenizer_that_llama_cpp_does_not_know_is_said(trained_run: TrainedRun) -> None:
    answer = trained_run.cli("export", "ftctl-qa", "as-gguf", "--to", "gguf", timeout=300, code=1)
    assert "it does not know this tokenizer" in answer.err
    assert "convert_hf_to_gguf.py of today" in " ".join(answer.err.split())
    assert not (trained_run.cli.cwd / "as-gguf").exists()


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A Hub on this machine: its address, and the folder of its repositories."""
    folder = tmp_path / "hub"
    folder.mkdir()
    program = Path(__file__).parent.parent / "standin" / "hub.py"
    server = subprocess.Popen([sys.executable, program, folder, TOKEN], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    yield f"http://127.0.0.1:{server.stdout.readline().strip()}", folder
    server.kill()
    server.wait()
    server.stdout.close()


def test_a_hub_gets_what_was_trained(trained_run: TrainedRun, hub: tuple[str, Path]) -> None:
    address, folder = hub
    env = {"HF_ENDPOINT": address, "HF_HUB_DISABLE_XET": "1", "HF_TOKEN": "hf_wrong", "TEAM_TOKEN": TOKEN}
    repository = folder / "team" / "demo"

    def upload(*more: str, code: int = 0) -> Any:
        argv = ("export", "ftctl-qa", "team/demo", "--to", "hub", "--json", *more)
        return trained_run.cli(*argv, env=env, timeout=120, code=code)

    refused = upload(code=1).envelope["error"]
    assert "Invalid username or password" in refused["message"]
    assert "HF_TOKEN" in refused["remedy"]
    token = ("--token", "${env:TEAM_TOKEN}")
    answer = upload(*token)
    assert answer.data["url"] == f"{address}/team/demo"
    assert answer.data["private"]
    assert (repository / ".private").exists()
    sent = file_hashes(repository)
    assert answer.data["files"].items() <= sent.items()
    assert sent["model.safetensors"] == file_hashes(trained_run.directory / "output")["model.safetensors"]
    assert "has 9 files" in upload(*token, code=1).envelope["error"]["message"]
    (repository / "old.txt").write_text("of the earlier export")
    upload(*token, "--force")
    assert not (repository / "old.txt").exists()
    (repository / ".private").unlink()
    assert "is public" in upload(*token, "--force", code=1).envelope["error"]["message"]
    (repository / "ftctl-export.json").unlink()
    other = upload(*token, "--force", "--public", code=1).envelope["error"]
    assert "nothing but an earlier export is ever replaced" in other["remedy"]
    assert not list(trained_run.cli.cwd.glob(".ftctl-qa-hub*")), "what was laid out is removed again"
    assert json.loads((repository / "config.json").read_text())["model_type"] == "qwen3"
