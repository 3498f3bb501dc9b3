"""The demo's base model: made twice the same, never over something else, and a model to all who look."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from ftctl.artifacts.verify import verify_model
from ftctl.facts.model_dir import model_facts

MAKER = Path(__file__).parents[2] / "ftctl" / "inside" / "make_tiny_model.py"
LOAD = """
import json, sys
from transformers import AutoModelForCausalLM, AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model, found = AutoModelForCausalLM.from_pretrained(sys.argv[1], output_loading_info=True)
chat = [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]
text = "Grüße, 世界  \\n!"
print(json.dumps({
    "missing": sorted(found["missing_keys"]), "unexpected": sorted(found["unexpected_keys"]),
    "parameters": model.num_parameters(), "eos": tokenizer.eos_token,
    "ends": model.generation_config.eos_token_id,
    "chat": tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True),
    "round": tokenizer.decode(tokenizer.encode(text)) == text,
}))
"""


def make(python: Path, out: Path, *more: str | Path) -> subprocess.CompletedProcess[str]:
    argv = [str(part) for part in (python, MAKER, out, *more)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.jsonl"
    path.write_text(json.dumps({"instruction": "What is it?", "output": "A model, 小."}) + "\n")
    return path


@pytest.mark.engine
def test_the_same_seed_makes_the_same_model(llamafactory_python: Path, text: Path, tmp_path: Path) -> None:
    one, two, other = tmp_path / "one", tmp_path / "two", tmp_path / "other"
    said = make(llamafactory_python, one, "--text", text)
    assert said.returncode == 0, said.stderr
    assert "no useful chatbot" in said.stdout
    assert make(llamafactory_python, two, "--text", text).returncode == 0
    assert make(llamafactory_python, other, "--text", text, "--seed", "1").returncode == 0
    assert verify_model(one).hashes == verify_model(two).hashes
    assert verify_model(one).hashes["model.safetensors"] != verify_model(other).hashes["model.safetensors"]


@pytest.mark.engine
def test_nothing_is_written_over_unasked(llamafactory_python: Path, text: Path, tmp_path: Path) -> None:
    out = tmp_path / "model"
    assert make(llamafactory_python, out, "--text", text).returncode == 0
    written = (out / "model.safetensors").stat().st_mtime_ns
    again = make(llamafactory_python, out, "--text", text)
    assert again.returncode == 0 and "already holds this model" in again.stdout
    assert (out / "model.safetensors").stat().st_mtime_ns == written
    other = make(llamafactory_python, out, "--text", text, "--seed", "2")
    assert other.returncode == 2 and "--force" in other.stderr
    assert (out / "model.safetensors").stat().st_mtime_ns == written
    assert make(llamafactory_python, out, "--text", text, "--seed", "2", "--force").returncode == 0
    assert json.loads((out / "tiny-model.json").read_text())["seed"] == 2
    missing = make(llamafactory_python, tmp_path / "x", "--text", tmp_path / "gone")
    assert missing.returncode == 2 and "gone" in missing.stderr and not (tmp_path / "x").exists()


@pytest.mark.engine
def test_transformers_loads_it_whole(llamafactory_python: Path, tiny_model: Path) -> None:
    facts = model_facts(tiny_model)
    assert facts.architecture == "Qwen3ForCausalLM" and facts.dtype == "float32" and facts.has_chat_template
    done = subprocess.run(
        [str(llamafactory_python), "-c", LOAD, str(tiny_model)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    loaded = json.loads(done.stdout.splitlines()[-1])
    assert loaded["missing"] == loaded["unexpected"] == []
    assert loaded["parameters"] == facts.parameters
    assert loaded["eos"] == "<|im_end|>" and loaded["ends"] == [2, 0] and loaded["round"]
    assert loaded["chat"] == (
        "<|im_start|>system\ns<|im_end|>\n<|im_start|>user\nu<|im_end|>\n<|im_start|>assistant\n"
    )
