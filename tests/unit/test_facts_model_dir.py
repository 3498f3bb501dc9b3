"""A model folder's facts, and every way in which a folder is no model."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from ftctl.errors import UsageError
from ftctl.facts.model_dir import model_facts
from tests.model_files import SHAPES, safetensors, write_model

INDEX = "model.safetensors.index.json"


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"


@pytest.mark.parametrize("shards", [False, True])
def test_facts_of_a_whole_model(tmp_path: Path, shards: bool) -> None:
    facts = model_facts(write_model(tmp_path / "模型 one", shards=shards))
    assert (facts.architecture, facts.model_type, facts.dtype) == ("Qwen3ForCausalLM", "qwen3", "float32")
    assert (facts.parameters, facts.weight_bytes, facts.max_positions) == (36, 144, 64)
    assert facts.local and facts.tied_embeddings and facts.has_chat_template


def test_a_model_without_chat_template_says_so(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m")
    (folder / "tokenizer_config.json").write_text("{}")
    assert model_facts(folder).has_chat_template is False
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    assert model_facts(folder).has_chat_template is True


def test_links_as_in_a_hub_cache_are_followed(tmp_path: Path) -> None:
    whole = write_model(tmp_path / "larger disk")
    (tmp_path / "blobs").symlink_to(whole)
    snapshot = tmp_path / "snapshots" / "0123"
    snapshot.mkdir(parents=True)
    for file in whole.iterdir():
        (snapshot / file.name).symlink_to(f"../../blobs/{file.name}")
    assert model_facts(snapshot).parameters == 36


def _rewrite_index(folder: Path, name: str) -> None:
    index = json.loads((folder / INDEX).read_text())
    index["weight_map"]["model.norm.weight"] = name
    (folder / INDEX).write_text(json.dumps(index))


def _header(folder: Path, header: bytes) -> None:
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)


def _cut(folder: Path) -> None:
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[:-1])


def _pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def _dangling(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to("gone")


def _pipe(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    os.mkfifo(folder / "model.safetensors")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / "config.json").unlink(), "a folder without a model"),
        (lambda folder: (folder / "config.json").write_text("{"), "config.json: not valid JSON"),
        (lambda folder: (folder / "config.json").write_text("[]"), "holds no JSON object"),
        (lambda folder: (folder / "config.json").write_text("{}"), "names no architecture"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "has no tokenizer"),
        (lambda folder: (folder / "model.safetensors").unlink(), "has no weights"),
        (lambda folder: (folder / "tokenizer.json").write_text('{"model": '), "no whole JSON object"),
        (lambda folder: (folder / "tokenizer.json").write_bytes(POINTER), "a Git LFS pointer"),
        (lambda folder: (folder / "model.safetensors").write_bytes(POINTER), "a Git LFS pointer"),
        (_pickled, "weights are pickled"),
        (_dangling, "is a link that leads to no file"),
        (_pipe, "is no regular file"),
        (_cut, "cut short, it has"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"abc"), "cut short, 3 bytes"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"\xff" * 64), "not a safetensors file"),
        (
            lambda folder: (folder / "model.safetensors").write_bytes(struct.pack("<Q", 99) + b"{}"),
            "the header alone needs 107 bytes of 10",
        ),
        (lambda folder: _header(folder, b"{not json"), "its header is broken"),
        (lambda folder: _header(folder, b'{"a": {"dtype": "F32"}}'), "its header is broken"),
        (
            lambda folder: _header(folder, b'{"a": {"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}'),
            "its header is broken",
        ),
        (
            lambda folder: (folder / "model.safetensors").write_bytes(safetensors(SHAPES) + b"x"),
            "too long",
        ),
    ],
)
def test_a_folder_that_is_no_model(tmp_path: Path, damage: Callable[[Path], object], said: str) -> None:
    folder = write_model(tmp_path / "m")
    damage(folder)
    with pytest.raises(UsageError, match=said) as caught:
        model_facts(folder)
    assert str(folder) in caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (
            lambda folder: (folder / "model-00002-of-00002.safetensors").unlink(),
            "00002.safetensors is missing",
        ),
        (lambda folder: (folder / INDEX).write_text("{}"), "has no weight_map"),
        (lambda folder: _rewrite_index(folder, "../other.safetensors"), "no name of a shard"),
        (
            lambda folder: _rewrite_index(folder, "model-00001-of-00002.safetensors"),
            "lacks model.norm.weight",
        ),
    ],
)
def test_shards_that_do_not_fit_the_index(
    tmp_path: Path, damage: Callable[[Path], object], said: str
) -> None:
    folder = write_model(tmp_path / "m", shards=True)
    damage(folder)
    with pytest.raises(UsageError, match=said):
        model_facts(folder)


def test_no_folder_and_a_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such folder"):
        model_facts(tmp_path / "gone")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="it is a file, not a folder"):
        model_facts(tmp_path / "file")
