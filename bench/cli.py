"""Start-up: `ftctl --help` and `ftctl validate` as whole processes, against importing what they stand on.

.venv/bin/python -m bench.cli [ROUNDS]
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from pathlib import Path

from bench.measure import FTCTL, PYTHON, ROOT, Sample, interleaved, machine, spread, write

BASELINE = "import typer, yaml, jsonschema, rich.console"
LIMIT = 1.5  # times the baseline's CPU time

JOB = """\
# A job of 40 lines with most of the blocks that a job can have.
name: support-bot
model:
  path: {model}
  trust_remote_code: false
data:
  train:
    - path: {data}
      format: alpaca
      max_samples: 80
  eval: 0.05
train:
  task: sft
  engine: llamafactory
  method: lora
  epochs: 3
  learning_rate: 1e-4
  batch_size: 16
  max_length: 1024
  scheduler: cosine
  warmup: 0.05
  weight_decay: 0.01
  max_grad_norm: 1.0
  seed: 7
  precision: fp32
  lora:
    rank: 16
    alpha: 32
    dropout: 0.05
  checkpoints:
    every: epoch
    keep: 2
resources:
  gpus: 0
deploy:
  engine: vllm
  adapter: merge
  dtype: float32
  max_length: 512
  kv_cache_memory: 64MiB
"""


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    began_on = machine()
    with tempfile.TemporaryDirectory() as folder:
        job = write_job(Path(folder))
        commands = {
            "baseline": [PYTHON, "-c", BASELINE],
            "ftctl --help": [FTCTL, "--help"],
            "ftctl validate": [FTCTL, "validate", str(job)],
        }
        samples = interleaved(commands, rounds)
    base = statistics.median(sample.cpu for sample in samples["baseline"])
    lines = len(JOB.splitlines())
    body = [
        f"Medians (lowest to highest) of {rounds} runs each, in turn, after one that is thrown away.",
        f'The baseline is `python -c "{BASELINE}"` in the same environment;',
        f"the limit is {LIMIT}× its CPU time.",
        "",
        "| command | CPU | wall | CPU against the baseline |",
        "|---|---|---|---|",
        *(row(name, taken, base) for name, taken in samples.items()),
        "",
        f"`validate` reads a valid job of {lines} lines with a local model folder and an 88-row dataset.",
        "",
        "Made by `.venv/bin/python -m bench.cli`.",
    ]
    write("cli", "Start-up of the command line", body, began_on=began_on)


def row(name: str, samples: list[Sample], base: float) -> str:
    cpu, wall = [sample.cpu for sample in samples], [sample.wall for sample in samples]
    ratio = statistics.median(cpu) / base
    verdict = "" if name == "baseline" else " (within the limit)" if ratio <= LIMIT else " (OVER THE LIMIT)"
    return f"| `{name}` | {spread(cpu)} | {spread(wall)} | {ratio:.2f}×{verdict} |"


def write_job(folder: Path) -> Path:
    """The job, with a model folder that has a config, a tokenizer, weights and a chat template."""
    model = folder / "model"
    model.mkdir()
    config = {"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "max_position_embeddings": 2048}
    header = b"{}      "
    (model / "config.json").write_text(json.dumps(config))
    (model / "tokenizer.json").write_text("{}")
    (model / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{{ messages }}"}))
    (model / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    job = folder / "job.yaml"
    job.write_text(JOB.format(model=model, data=ROOT / "configs" / "demo" / "ftctl-qa.jsonl"))
    return job


if __name__ == "__main__":
    main()
