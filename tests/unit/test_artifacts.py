"""What training left is verified before anything is served."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ftctl.artifacts.verify import verify_adapter, verify_model
from ftctl.errors import FtctlError
from tests.model_files import write_adapter, write_model


def test_a_whole_model(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "output")
    (folder / "checkpoint-3").mkdir()
    artifact = verify_model(folder)
    assert (artifact.kind, artifact.architecture, artifact.dtype) == ("model", "Qwen3ForCausalLM", "float32")
    assert artifact.has_chat_template
    assert set(artifact.hashes) == {path.name for path in folder.iterdir() if path.is_file()}
    weights = (folder / "model.safetensors").read_bytes()
    assert artifact.hashes["model.safetensors"] == hashlib.sha256(weights).hexdigest()


def test_hashes_are_left_out_when_asked(tmp_path: Path) -> None:
    assert verify_model(write_model(tmp_path / "output"), hashes=False).hashes == {}


@pytest.mark.parametrize("missing", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_missing_file_is_named(tmp_path: Path, missing: str) -> None:
    folder = write_model(tmp_path / "output")
    (folder / missing).unlink()
    with pytest.raises(FtctlError, match=missing) as caught:
        verify_model(folder)
    assert caught.value.exit_code == 1
    assert "engine.log" in caught.value.remedy


def test_a_missing_and_a_truncated_shard(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "output", shards=True)
    last = folder / "model-00002-of-00002.safetensors"
    last.write_bytes(last.read_bytes()[:-8])
    with pytest.raises(FtctlError, match=f"{last.name}: cut short"):
        verify_model(folder)
    last.unlink()
    with pytest.raises(FtctlError, match=f"{last.name} is missing"):
        verify_model(folder)


def test_an_adapter(tmp_path: Path) -> None:
    folder = write_adapter(tmp_path / "output", "Qwen/Qwen3-0.6B", rank=16)
    artifact = verify_adapter(folder, "Qwen/Qwen3-0.6B")
    assert (artifact.kind, artifact.base, artifact.lora_rank) == ("adapter", "Qwen/Qwen3-0.6B", 16)
    assert set(artifact.hashes) == {"adapter_config.json", "adapter_model.safetensors"}


def test_an_adapter_names_its_base_relative_to_the_run(tmp_path: Path) -> None:
    base = write_model(tmp_path / "base")
    run = tmp_path / "run"
    run.mkdir()
    (run / "model").symlink_to(base)
    assert verify_adapter(write_adapter(run / "output", "model"), str(base)).base == str(base)


def _config(folder: Path, **changes: object) -> None:
    file = folder / "adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def _cut(folder: Path) -> None:
    file = folder / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / "adapter_config.json").unlink(), "adapter_config.json: No such file"),
        (lambda folder: _config(folder, r=None), "has no rank"),
        (lambda folder: _config(folder, base_model_name_or_path="other"), 'trained on "other"'),
        (lambda folder: _config(folder, base_model_name_or_path=None), 'trained on ""'),
        (
            lambda folder: (folder / "adapter_model.safetensors").unlink(),
            "adapter_model.safetensors: no such",
        ),
        (
            lambda folder: (folder / "adapter_model.safetensors").rename(folder / "adapter_model.bin"),
            "weights are pickled",
        ),
        (_cut, "cut short"),
    ],
)
def test_a_broken_adapter(tmp_path: Path, damage: Callable[[Path], object], said: str) -> None:
    folder = write_adapter(tmp_path / "output", "base")
    damage(folder)
    with pytest.raises(FtctlError, match=said):
        verify_adapter(folder, "base")
