"""FlagEmbedding's programs through our runner: trained, resumed, refused, and not connected.

`ftctl train` runs the other programs in tests/e2e/test_train_retrieval.py.
"""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.flagembedding_bench import (
    BASE,
    ICL,
    INSIDE,
    OF_ICL,
    TOKEN,
    Bench,
    Run,
    environment,
    make_bench,
)

pytestmark = pytest.mark.engine

PROGRAMS: dict[str, tuple[str, dict[str, Any], str, str]] = {
    # program: the tiny model, the arguments that are its own, the folder served, the reference's variant
    BASE: ("encoder", {"sentence_pooling_method": "mean"}, "output", "encoder-only-base"),
    ICL: ("decoder", OF_ICL, "output/merged_model", "decoder-only-icl"),
}


@pytest.fixture(scope="module")
def bench(flagembedding_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return make_bench(flagembedding_python, tmp_path_factory.mktemp("flagembedding"))


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
        pooling = own["sentence_pooling_method"]
        kind = {"task": "embedding", "texts": texts, "pooling": pooling, "queries": ["what"]}
        file.write_text(json.dumps({**common, **kind, "query_instruction": "query: "}))
    argv = [bench.python, Path(__file__).parent / "compare_references.py", INSIDE, *asked.values()]
    done = subprocess.run(argv, env=environment(), capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    assert float(done.stdout.splitlines()[-1]) > 0.9999
    for file in asked.values():
        answer = json.loads(Path(f"{file}.out").read_text())
        assert answer["dtype"] == "float32"
        lengths = [math.hypot(*vector) for vector in answer["vectors"] + answer["query_vectors"]]
        assert lengths == pytest.approx([1.0, 1.0, 1.0], abs=1e-4)


def test_icl_resumes_in_its_second_epoch(bench: Bench, tmp_path: Path) -> None:
    """Its dataset counts its batches by itself, so that skipping them moves it nowhere."""
    arguments: dict[str, Any] = {**OF_ICL, "model_name_or_path": str(bench.model("decoder")), "max_steps": 13}
    whole = bench.run(tmp_path, ICL, save_steps=11, **arguments)
    assert whole.code == 0, whole.log[-3000:]
    losses = whole.losses
    (tmp_path / "progress.jsonl").unlink()
    resumed = bench.run(tmp_path, ICL, resume_from_checkpoint="output/checkpoint-11", **arguments)
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


def test_two_processes_that_are_not_connected_are_refused(bench: Bench, tmp_path: Path) -> None:
    """As on a machine without a GPU where `use_cpu` is missing."""
    model = str(bench.model("encoder"))
    run = bench.run(tmp_path, BASE, processes=2, model_name_or_path=model, use_cpu=None)
    if run.code == 0:
        pytest.skip("this machine has GPUs to connect the processes over")
    assert "ConnectionError: torchrun started 2 processes, but they are not connected" in run.log
    assert not (tmp_path / "output").exists()
