"""The job that the faults are tried on: every stage of a run, by the stand-in engines."""

from __future__ import annotations

import json
from pathlib import Path

from tests.conftest import ROOT
from tests.model_files import write_model

STANDIN = ROOT / "tests" / "standin"
STEPS = 20
EVERY = 5  # steps between two checkpoints
PACE = {"STANDIN_PAUSE": "0.03", "STANDIN_SAVING": "0.02", "STANDIN_WEIGHTS": str(24 * 2**20)}


def write_job(folder: Path, gpus: int) -> Path:
    """A LoRA training with checkpoints, its merging, and a deployment; on so many stand-in GPUs."""
    write_model(folder / "base")
    rows = ({"instruction": f"question {number}", "output": f"answer {number}"} for number in range(40))
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    train = {
        "method": "lora",
        "max_steps": STEPS,
        "max_length": 64,
        "batch_size": 4,
        "checkpoints": {"every": EVERY},
        "engine_python": str(STANDIN / "llamafactory.py"),
    }
    deploy = {"engine": "vllm", "max_length": 64, "engine_python": str(STANDIN / "server.py")}
    whole = {"name": "faults", "model": "./base", "data": {"train": "rows.jsonl"}, "train": train}
    path = folder / "job.yaml"
    path.write_text(json.dumps({**whole, "resources": {"gpus": gpus}, "deploy": deploy}))
    return path
