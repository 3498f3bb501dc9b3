"""FlagEmbedding's programs through our runner: trained, stopped, resumed, refused, on two processes."""

from __future__ import annotations

import json
import math
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, Cli, engine_python

pytestmark = pytest.mark.engine

INSIDE = ROOT / "ftctl" / "inside"
RUNNER = INSIDE / "flagembedding_runner.py"
BASE = "embedder.encoder_only.base"
TOKEN = "hf_a_token_that_no_log_may_show"
TOPICS = [
    "apple", "river", "mountain", "engine", "piano", "castle", "garden", "rocket", "violin", "desert",
    "harbor", "forest", "planet",
]  # fmt: skip
PROGRAMS: dict[str, tuple[str, dict[str, Any], str, str]] = {
    # program: the tiny model, the arguments that are its own, the folder served, the reference's variant
    BASE: ("encoder", {"sentence_pooling_method": "mean"}, "output", "encoder-only-base"),
    "embedder.encoder_only.m3": ("m3", {"unified_finetuning": True}, "output", "encoder-only-m3"),
    "embedder.decoder_only.base": (
        "decoder",
        {"sentence_pooling_method": "last_token", "lora_rank": 8, "save_merged_lora_model": True},
        "output/merged_model",
        "decoder-only-base",
    ),
    "embedder.decoder_only.icl": (
        "decoder",
        {
            "sentence_pooling_method": "last_token",
            "lora_rank": 8,
            "save_merged_lora_model": True,
            "same_dataset_within_batch": True,
        },
        "output/merged_model",
        "decoder-only-icl",
    ),
    "reranker.encoder_only.base": ("cross-encoder", {}, "output", "encoder-only-base"),
    "reranker.decoder_only.base": (
        "decoder",
        {"model_type": "decoder", "lora_rank": 8, "save_merged_lora_model": True},
        "output/merged_model",
        "decoder-only-base",
    ),
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
        code = self.start(directory, program, **more).wait(timeout=120)
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


@pytest.fixture(scope="module")
def bench(session_ftctl: Cli, engine_turn: None, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    folder = tmp_path_factory.mktemp("flagembedding")
    rows = [row(number, topic) for number in range(3) for topic in TOPICS]
    (folder / "train.jsonl").write_text("".join(json.dumps(line) + "\n" for line in rows))
    return Bench(engine_python(session_ftctl, "flagembedding"), folder)


@pytest.fixture(scope="module")
def trained(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Run]:
    """Four steps of a program, run when it is asked for the first time."""
    runs: dict[str, Run] = {}

    def run(program: str) -> Run:
        if program not in runs:
            kind, own, _, _ = PROGRAMS[program]
            folder = tmp_path_factory.mktemp("run")
            model = str(bench.model(kind))
            runs[program] = bench.run(folder, program, model_name_or_path=model, save_steps=2, **own)
        return runs[program]

    return run


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_trains_and_reports(trained: Callable[[str], Run], program: str) -> None:
    run = trained(program)
    assert run.code == 0, run.log[-3000:]
    assert [event["total_steps"] for event in run.events("begin")] == [4]
    steps = run.events("step")
    assert [event["step"] for event in steps] == [1, 2, 3, 4]
    for event in steps:
        assert all(math.isfinite(event[name]) for name in ("loss", "grad_norm", "learning_rate"))
    for event in run.events("checkpoint"):
        assert (run.directory / event["path"] / "trainer_state.json").is_file()
    assert TOKEN not in run.log
    tokenizer = json.loads((run.directory / PROGRAMS[program][2] / "tokenizer.json").read_text())
    assert (tokenizer["truncation"], tokenizer["padding"]) == (None, None)


def test_what_was_trained_is_read_by_the_engines_inference(
    bench: Bench, trained: Callable[[str], Run], tmp_path: Path
) -> None:
    texts = ["The apple is described here.", "A far longer text about the castle, its garden and the harbor."]
    asked: dict[str, Path] = {}
    for program, (_, own, folder, variant) in PROGRAMS.items():
        file = asked[program] = tmp_path / f"{program}.json"
        common = {"model": str(trained(program).directory / folder), "variant": variant}
        pooling = own.get("sentence_pooling_method", "cls")
        kind = (
            {"task": "embedding", "texts": texts, "pooling": pooling, "queries": ["what"]}
            if program.startswith("embedder")
            else {"task": "reranker", "pairs": [["the apple", text] for text in texts]}
        )
        file.write_text(json.dumps({**common, **kind, "query_instruction": "query: "}))
    argv = [bench.python, Path(__file__).parent / "compare_references.py", INSIDE, *asked.values()]
    done = subprocess.run(argv, env=environment(), capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    assert float(done.stdout.splitlines()[-1]) > 0.9999
    for file in asked.values():
        answer = json.loads(Path(f"{file}.out").read_text())
        assert answer["dtype"] == "float32"
        if answer["task"] == "embedding":
            lengths = [math.hypot(*vector) for vector in answer["vectors"] + answer["query_vectors"]]
            assert lengths == pytest.approx([1.0, 1.0, 1.0], abs=1e-4)
        else:
            assert len(answer["scores"]) == 2
            assert all(map(math.isfinite, answer["scores"]))


def test_a_stopped_training_goes_on_as_if_it_had_not_been(bench: Bench, tmp_path: Path) -> None:
    """Dropout and the choice of negatives included: the losses are equal, not only alike."""
    arguments: dict[str, Any] = {
        "model_name_or_path": str(bench.model("encoder")), "max_steps": 150, "save_strategy": "no",
    }  # fmt: skip
    whole = bench.run(tmp_path / "whole", BASE, **arguments)
    assert whole.code == 0, whole.log[-3000:]

    child = bench.start(tmp_path / "stopped", BASE, **arguments)
    progress = tmp_path / "stopped" / "progress.jsonl"
    while not (progress.exists() and '"step": 3,' in progress.read_text()):
        assert child.poll() is None, (tmp_path / "stopped" / "log").read_text()[-3000:]
        time.sleep(0.02)
    (tmp_path / "stopped" / "stop").touch()
    assert child.wait(timeout=60) == 0
    stopped = Run(tmp_path / "stopped", 0, "")
    (checkpoint,) = stopped.events("checkpoint")
    assert [event["step"] for event in stopped.events("stopped")] == [checkpoint["step"]]
    assert 3 <= checkpoint["step"] < 150
    assert not (tmp_path / "stopped" / "output" / "model.safetensors").exists()

    (tmp_path / "stopped" / "stop").unlink()
    progress.unlink()
    resumed = bench.run(tmp_path / "stopped", BASE, resume_from_checkpoint=checkpoint["path"], **arguments)
    assert resumed.code == 0, resumed.log[-3000:]
    assert resumed.events("begin")[0]["resumed_from"] == checkpoint["step"]
    after = {step: loss for step, loss in whole.losses.items() if step > checkpoint["step"]}
    assert resumed.losses == pytest.approx(after, rel=1e-4)


def test_icl_resumes_in_its_second_epoch(bench: Bench, tmp_path: Path) -> None:
    """Its dataset counts its batches by itself, so that skipping them moves it nowhere."""
    own = PROGRAMS["embedder.decoder_only.icl"][1]
    arguments: dict[str, Any] = {**own, "model_name_or_path": str(bench.model("decoder")), "max_steps": 13}
    whole = bench.run(tmp_path, "embedder.decoder_only.icl", save_steps=11, **arguments)
    assert whole.code == 0, whole.log[-3000:]
    losses = whole.losses
    (tmp_path / "progress.jsonl").unlink()
    resumed = bench.run(
        tmp_path, "embedder.decoder_only.icl", resume_from_checkpoint="output/checkpoint-11", **arguments
    )
    assert resumed.losses == pytest.approx({12: losses[12], 13: losses[13]}, rel=1e-4)


def test_nan_ends_the_training_at_once(bench: Bench, tmp_path: Path) -> None:
    run = bench.run(tmp_path, BASE, model_name_or_path=str(bench.model("encoder")), temperature=0)
    assert run.code == 1
    assert "FloatingPointError: the loss is nan at step 1" in run.log
    assert run.losses == {}
    assert not (tmp_path / "output" / "model.safetensors").exists()


@pytest.mark.parametrize(
    ("program", "more", "said"),
    [
        (BASE, {"temp": 0.02}, "--temp=0.02"),
        ("reranker.decoder_only.layerwise", {}, "NotImplementedError: reranker.decoder_only.layerwise"),
    ],
)
def test_what_cannot_be_trained_is_refused(
    bench: Bench, tmp_path: Path, program: str, more: dict[str, Any], said: str
) -> None:
    run = bench.run(tmp_path, program, model_name_or_path=str(bench.model("encoder")), **more)
    assert run.code == 1
    assert said in run.log
    assert not (tmp_path / "progress.jsonl").exists()


def test_two_processes_train_as_one_does(bench: Bench, tmp_path: Path) -> None:
    """The same global batch and, through negatives across devices, the same negatives in it.

    Noise: without dropout the two differ by the order of sums, and by Adam's epsilon, which weighs more
    against the gradients of two processes, for FlagEmbedding averages what it should add. Measured 2e-5.
    """
    model = str(bench.model("encoder", "--dropout", "0"))
    one = bench.run(tmp_path / "one", BASE, model_name_or_path=model)
    more = {"per_device_train_batch_size": 2, "negatives_cross_device": True}
    two = bench.run(tmp_path / "two", BASE, processes=2, model_name_or_path=model, **more)
    assert two.code == 0, two.log[-3000:]
    assert two.events("begin")[0]["world_size"] == 2
    assert two.losses == pytest.approx(one.losses, rel=5e-4)


def test_two_processes_that_are_not_connected_are_refused(bench: Bench, tmp_path: Path) -> None:
    """As on a machine without a GPU where `use_cpu` is missing."""
    model = str(bench.model("encoder"))
    run = bench.run(tmp_path, BASE, processes=2, model_name_or_path=model, use_cpu=None)
    if run.code == 0:
        pytest.skip("this machine has GPUs to connect the processes over")
    assert "ConnectionError: torchrun started 2 processes, but they are not connected" in run.log
    assert not (tmp_path / "output").exists()
