"""The demo's job without its deployment and its evaluation, for the benchmarks that only train."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import yaml

from bench.measure import FTCTL, ROOT

SOURCE = ROOT / "configs" / "demo" / "ftctl-qa.yaml"
MODEL = ROOT / ".cache" / "demo" / "base-model"
DATA = ROOT / "configs" / "demo" / "ftctl-qa.jsonl"


def engine_python(name: str) -> Path:
    """The interpreter of an engine, which is installed if it is missing."""
    own = os.environ.get(f"FTCTL_{name.upper()}_PYTHON")
    if own:
        return Path(own)
    subprocess.run([FTCTL, "engines", "install", name, "--variant", "cpu"], check=True)
    path = [FTCTL, "engines", "path", name, "--variant", "cpu"]
    return Path(subprocess.run(path, check=True, capture_output=True, text=True).stdout.strip())


def write_job(folder: Path) -> Path:
    """Write the job into `folder`, making the base model first if `make demo` has not yet."""
    maker = ROOT / "ftctl" / "inside" / "make_tiny_model.py"
    subprocess.run([engine_python("llamafactory"), maker, MODEL, "--text", DATA, "--force"], check=True)
    job = yaml.safe_load(SOURCE.read_text())
    for block in ("deploy", "evaluate"):
        job.pop(block)
    job["model"] = str(MODEL)
    job["data"]["train"] = str(DATA)
    # YAML 1.1 and 1.2 differ on 3e-3; ftctl reads what was meant from the plain decimal.
    job["train"]["learning_rate"] = float(job["train"]["learning_rate"])
    path = folder / "job.yaml"
    path.write_text(yaml.safe_dump(job))
    return path


def only_run(runs: Path) -> Path:
    """The directory of the newest run under `runs`."""
    return max((record.parent for record in runs.glob("*/*/run.json")), key=lambda path: path.name)
