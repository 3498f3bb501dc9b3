"""An adapter attached to its base by a real vLLM server: the deployment's name means the adapter."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ftctl.deployments import client
from tests.conftest import Cli
from tests.e2e.conftest import START_TIMEOUT

pytestmark = pytest.mark.engine

# Random weights of rank 12, which vLLM does not take as it is: it must be rounded up to 16.
MAKE = """
import json, sys, numpy
from pathlib import Path
from safetensors.numpy import save_file
out, base = Path(sys.argv[1]), Path(sys.argv[2])
config = json.loads((base / "config.json").read_text())
hidden, inner, rank = config["hidden_size"], config["intermediate_size"], 12
draw = numpy.random.default_rng(0)
weights = {}
for layer in range(config["num_hidden_layers"]):
    stem = f"base_model.model.model.layers.{layer}.mlp.up_proj.lora_"
    weights[stem + "A.weight"] = draw.normal(size=(rank, hidden)).astype("float32")
    weights[stem + "B.weight"] = draw.normal(size=(inner, rank)).astype("float32")
out.mkdir()
save_file(weights, out / "adapter_model.safetensors", metadata={"format": "pt"})
(out / "adapter_config.json").write_text(json.dumps({
    "peft_type": "LORA", "task_type": "CAUSAL_LM", "r": rank, "lora_alpha": 24, "bias": "none",
    "target_modules": ["up_proj"], "base_model_name_or_path": str(base)}))
"""


def test_the_name_is_the_adapters(
    ftctl: Cli, tiny_model: Path, llamafactory_python: Path, vllm_python: Path
) -> None:
    adapter = ftctl.cwd / "adapter"
    subprocess.run([llamafactory_python, "-c", MAKE, adapter, tiny_model], check=True, timeout=120)
    argv = ("deploy", adapter, "--name", "ft", "--engine-python", vllm_python, "--json")
    data = ftctl(*argv, timeout=START_TIMEOUT, code=0).data
    try:
        key = Path(data["key_file"]).read_text().strip()
        assert set(client.models(data["url"], key)) == {"ft", "ft-base"}
        assert best(data["url"], key, "ft") != best(data["url"], key, "ft-base")
        assert ftctl("chat", "ft", "hello", "--once", "--max-tokens", "4", code=0).out.endswith("\n")
    finally:
        ftctl("stop", "ft", code=0)


def best(url: str, key: str, model: str) -> dict[str, float]:
    """The log-probabilities of the likeliest first tokens."""
    body = {"model": model, "prompt": "What is a job?", "max_tokens": 1, "temperature": 0, "logprobs": 3}
    code, answer = client.request(url, "/v1/completions", key=key, body=body)
    assert code == 200, answer
    value: Any = json.loads(answer)["choices"][0]["logprobs"]["top_logprobs"][0]
    assert len(value) >= 3
    return dict(value)
