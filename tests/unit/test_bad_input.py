"""Bad input, each through the real command: one clear error with place and remedy, and its exit code."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Cli

ROWS = "".join(f'{{"instruction": "question {number}?", "output": "answer"}}\n' for number in range(40))
JOB = """\
name: bad
model: base
data:
  train: rows.jsonl
train:
  method: full
resources: {gpus: 0}
"""


@pytest.fixture
def folder(ftctl: Cli) -> Path:
    """A folder with a job that is valid: a model folder, rows and the job file."""
    base = ftctl.cwd / "base"
    base.mkdir()
    write_model(base)
    (ftctl.cwd / "rows.jsonl").write_text(ROWS)
    (ftctl.cwd / "job.yaml").write_text(JOB)
    return ftctl.cwd


def write_model(folder: Path) -> None:
    """The least that is a model: configuration, one weight, tokenizer, chat template."""
    config = {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "dtype": "float32",
        "vocab_size": 2,
    }
    config |= {
        "hidden_size": 2,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
        "max_position_embeddings": 64,
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text("{}")
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{{ messages }}"}))
    matrix = {"dtype": "F32", "shape": [2, 2]}
    tensors = {
        "model.embed_tokens.weight": {**matrix, "data_offsets": [0, 16]},
        "model.layers.0.self_attn.q_proj.weight": {**matrix, "data_offsets": [16, 32]},
    }
    header = json.dumps(tensors)
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header.encode() + bytes(32))


def replaced(old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        text = (folder / "job.yaml").read_text()
        assert old in text
        (folder / "job.yaml").write_text(text.replace(old, new))

    return change


def written(name: str, text: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / name).write_text(text)

    return change


def removed(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / name).unlink()

    return change


CASES: dict[str, tuple[Callable[[Path], None], int, list[str]]] = {
    "not YAML": (written("job.yaml", "name: [a\nb: }"), 2, ["job.yaml:2:"]),
    "an empty file": (written("job.yaml", ""), 2, ["job.yaml", "empty"]),
    "a list": (written("job.yaml", "- a\n- b\n"), 2, ["job.yaml:1:1:", "list"]),
    "an unknown key": (replaced("name: bad", "nome: bad"), 2, ["job.yaml:1:1: nome:", "did you mean name"]),
    "an unknown key below": (
        replaced("  method: full", "  method: full\n  lerning_rate: 1"),
        2,
        ["job.yaml:7:3: train.lerning_rate:", "did you mean learning_rate"],
    ),
    "a wrong type": (replaced("method: full", "epochs: many"), 2, ["job.yaml:6:11: train.epochs:", "number"]),
    "a missing data file": (removed("rows.jsonl"), 2, ["job.yaml:4:10: data.train", "rows.jsonl"]),
    "a missing model": (replaced("model: base", "model: ./none"), 2, ["job.yaml:2:8: model", "none"]),
    "a folder without a model": (removed("base/config.json"), 2, ["job.yaml:2", "config.json"]),
    "a folder without weights": (removed("base/model.safetensors"), 2, ["job.yaml:2", "weights"]),
    "a broken line": (written("rows.jsonl", ROWS + '{"instruction": "a?", \n'), 2, ["rows.jsonl:41"]),
    "an empty dataset": (written("rows.jsonl", ""), 2, ["rows.jsonl", "no rows"]),
    "an unknown template": (
        replaced("model: base", "model: {path: base, template: qwen33}"),
        2,
        ["job.yaml:2", "model.template", "'qwen33' is not a template", "qwen3"],
    ),
    "an unknown engine": (
        replaced("method: full", "engine: lama_factory"),
        2,
        ["job.yaml:6:11: train.engine:", "llamafactory"],
    ),
    "a later task": (
        replaced("method: full", "task: reward"),
        2,
        ["reward: not available in this version"],
    ),
    "a batch that does not fit": (
        replaced("method: full", "batch_size: 10\n  micro_batch_size: 4"),
        2,
        ["job.yaml:6:", "the nearest that fit are 8 and 12"],
    ),
    "no such GPU": (replaced("gpus: 0", "gpus: [7]"), 4, ["GPU 7 was asked for", "→"]),
    "a job that trains nothing": (
        written("job.yaml", "name: bad\nmodel: base\ndeploy: {engine: vllm}\n"),
        2,
        ["trains nothing", "ftctl deploy"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_one_clear_error(case: str, ftctl: Cli, folder: Path) -> None:
    spoil, code, said = CASES[case]
    spoil(folder)
    answer = ftctl("train", "job.yaml", "--no-install")
    assert (answer.code, answer.out) == (code, "")
    for words in said:
        assert words in answer.err
    assert "Traceback" not in answer.err
    assert not (folder / "runs").exists(), "nothing is begun for a job that cannot run"


def test_a_valid_job_needs_its_engine(ftctl: Cli, folder: Path) -> None:
    answer = ftctl("train", "job.yaml", "--no-install", env={"FTCTL_ENGINES": str(folder / "none")})
    assert answer.code == 4, answer.err
    assert "ftctl engines install llamafactory" in answer.err
    assert ftctl("validate", "job.yaml", code=0).out.startswith("job.yaml: valid")


def test_a_port_that_is_taken_is_said_before_training(ftctl: Cli, folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with open(folder / "job.yaml", "a") as job:
            job.write(f"deploy: {{port: {port}}}\n")
        answer = ftctl("train", "job.yaml", "--no-install")
    assert answer.code == 4
    assert f"port {port} on 127.0.0.1 is taken" in answer.err


def test_gpus_that_disagree(ftctl: Cli, folder: Path) -> None:
    answer = ftctl("train", "job.yaml", "--gpus", "2", "--no-install")
    assert answer.code == 2
    assert "--gpus 2 and resources.gpus: 0 disagree" in answer.err


def test_a_missing_job_file(ftctl: Cli) -> None:
    answer = ftctl("train", "none.yaml")
    assert answer.code == 2
    assert "none.yaml" in answer.err


def test_the_same_as_json(ftctl: Cli, folder: Path) -> None:
    replaced("method: full", "epochs: many")(folder)
    answer = ftctl("train", "job.yaml", "--json", code=2)
    assert answer.envelope["ok"] is False
    (problem,) = answer.envelope["problems"]
    assert (problem["line"], problem["key"]) == (6, "train.epochs")


def test_what_a_row_holds_does_not_reach_the_terminal(ftctl: Cli, folder: Path) -> None:
    row = {"messages": [{"role": "\x1b[2Jbot", "content": "a"}, {"role": "assistant", "content": "b"}]}
    (folder / "rows.jsonl").write_text(json.dumps(row) + "\n")
    answer = ftctl("validate", "job.yaml", code=2)
    assert "\x1b" not in answer.err
    assert "\\x1b[2Jbot" in answer.err
