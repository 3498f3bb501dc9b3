"""FlagEmbedding's programs started through our runner, as `ftctl train` starts them, on tiny models."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import ROOT

INSIDE = ROOT / "ftctl" / "inside"
RUNNER = INSIDE / "flagembedding_runner.py"
BASE = "embedder.encoder_only.base"
TOKEN = "hf_a_token_that_no_log_may_show"
TOPICS = [
    "apple", "river", "mountain", "engine", "piano", "castle", "garden", "rocket", "violin", "desert",
    "harbor", "forest", "planet",
]  # fmt: skip
# Its dataset needs more than the others: the arguments that are its own.
ICL = "embedder.decoder_only.icl"
OF_ICL: dict[str, Any] = {
    "sentence_pooling_method": "last_token",
    "lora_rank": 8,
    "save_merged_lora_model": True,
    "same_dataset_within_batch": True,
}


@dataclass(frozen=True)
class Run:
    """A run directory whose training has ended."""

    directory: Path
    code: int
    log: str

    def events(self, kind: str) -> list[dict[str, Any]]:
        lines = (self.directory / "progress.jsonl").read_text().splitlines()
        return [event for event in map(json.loads, lines) if event["event"] == kind]

    @property
    def losses(self) -> dict[int, float]:
        return {event["step"]: event["loss"] for event in self.events("step")}


@dataclass(frozen=True)
class Bench:
    """The engine's interpreter and, in `folder`, the training data and the tiny models."""

    python: Path
    folder: Path

    def model(self, kind: str, *options: str) -> Path:
        """A tiny model, made when it is asked for the first time."""
        out = self.folder / "-".join([kind, *options])
        if not out.exists():
            text = self.folder / "train.jsonl"
            argv: list[str | Path] = [
                self.python,
                INSIDE / "make_tiny_retrieval.py",
                kind,
                out,
                "--text",
                text,
                *options,
            ]
            done = subprocess.run(argv, env=environment(), capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr[-4000:]
        return out

    def start(
        self, directory: Path, program: str, processes: int = 1, **more: Any
    ) -> subprocess.Popen[bytes]:
        """Start a training in `directory`, its log there; `more` are arguments, None takes one away."""
        directory.mkdir(exist_ok=True)
        arguments = {
            "train_data": [str(self.folder / "train.jsonl")],
            "cache_path": str(self.folder / "cache"),
            "output_dir": "output",
            "train_group_size": 4,
            "query_max_len": 32,
            "passage_max_len": 48,
            "per_device_train_batch_size": 4,
            "max_steps": 4,
            "learning_rate": 5e-4,
            "logging_steps": 1,
            "report_to": "none",
            "dataloader_drop_last": True,
            "use_cpu": True,
            **({"temperature": 0.05, "normalize_embeddings": True} if "embedder" in program else {}),
            **more,
        }
        kept = {name: value for name, value in arguments.items() if value is not None}
        (directory / "train.yaml").write_text(json.dumps(kept))
        launcher: list[str | Path] = [
            "-m",
            "torch.distributed.run",
            "--standalone",
            f"--nproc-per-node={processes}",
        ]
        argv: list[str | Path] = [
            self.python,
            *(launcher if processes > 1 else []),
            RUNNER,
            program,
            "train.yaml",
        ]
        with open(directory / "log", "wb") as log:
            return subprocess.Popen(argv, cwd=directory, env=environment(), stdout=log, stderr=log)

    def run(self, directory: Path, program: str, **more: Any) -> Run:
        code = self.start(directory, program, **more).wait(timeout=300)
        return Run(directory, code, (directory / "log").read_text(errors="replace"))


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "HF_TOKEN": TOKEN}


def row(number: int, topic: str) -> dict[str, Any]:
    """More positives and negatives than a group takes, so that which ones it takes can differ."""
    others = [other for other in TOPICS if other != topic]
    return {
        "query": f"what is said of the {topic} in part {number}",
        "pos": [f"The {topic} is described here, in part {number}.", f"Part {number} is of the {topic}."],
        "neg": [f"A text about the {others[(number + k) % len(others)]}, number {k}." for k in range(5)],
    }


def make_bench(python: Path, folder: Path) -> Bench:
    """The training data in `folder`: three rows of every topic."""
    rows = [row(number, topic) for number in range(3) for topic in TOPICS]
    (folder / "train.jsonl").write_text("".join(json.dumps(line) + "\n" for line in rows))
    return Bench(python, folder)
