"""What a local model folder holds, from its own files: read in milliseconds, nothing loaded."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from ftctl.artifacts.reading import strange
from ftctl.artifacts.safetensors import LFS, PULL, BrokenWeights, Tensor
from ftctl.artifacts.weights import read_json, read_weights
from ftctl.errors import UsageError
from ftctl.facts.model import ModelFacts
from ftctl.facts.retrieval_model import retrieval_facts
from ftctl.plan.kv_cache import kv_token_values

T = TypeVar("T")

TOKENIZERS = ("tokenizer.json", "tokenizer.model", "tekken.json", "vocab.txt", "spiece.model")
TEMPLATES = ("chat_template.jinja", "chat_template.json", "additional_chat_templates")
ENDS = 64  # bytes looked at where a whole file would be long to read
NUMBER = re.compile(r"\.\d+(?=\.|$)")
DTYPES = {"F32": "float32", "F16": "float16", "BF16": "bfloat16", "F64": "float64"}


def model_facts(path: Path) -> ModelFacts:
    """The facts about a model folder.

    Raises UsageError: no folder, a folder without a model, without a tokenizer, without weights or with
    pickled or broken ones.
    """
    if not path.is_dir():
        what = "it is a file, not a folder" if path.exists() else "there is no such folder"
        raise UsageError(f"{path}: {what}", "name a model folder, or a model's id on the hub")
    if not (path / "config.json").is_file():
        raise UsageError(
            f"{path}: a folder without a model: it has no config.json",
            "name the folder that holds config.json and the weights",
        )
    try:
        return _facts(path)
    except BrokenWeights as error:
        remedy = error.remedy or "copy or download the model again"
        raise UsageError(error.message, remedy) from None


def _facts(path: Path) -> ModelFacts:
    for said in strange(path):
        raise BrokenWeights(f"{path}: {said}", "put the file itself there, or take it out of the folder")
    config = read_json(path / "config.json")
    architectures = config.get("architectures")
    if not isinstance(architectures, list) or not architectures:
        raise BrokenWeights(
            f"{path / 'config.json'}: it names no architecture", "name a whole model's folder"
        )
    if not has_tokenizer(path):
        raise BrokenWeights(
            f"{path}: it has no tokenizer (no tokenizer.json)", "put the tokenizer's files there"
        )
    _whole_tokenizer(path / "tokenizer.json")
    weights = read_weights(path)
    tensors = {name: tensor for shard in weights.values() for name, tensor in shard.items()}
    text = config.get("text_config")
    inner: Mapping[str, Any] = text if isinstance(text, dict) else config
    return ModelFacts(
        path=str(path),
        local=True,
        architecture=str(architectures[0]),
        model_type=_of(str, config.get("model_type")),
        dtype=weights_dtype(tensors),
        max_positions=_of(int, inner.get("max_position_embeddings")),
        attention_heads=_of(int, inner.get("num_attention_heads")),
        weight_bytes=sum(tensor.end - tensor.start for tensor in tensors.values()),
        parameters=sum(tensor.count for tensor in tensors.values()),
        tied_embeddings=bool(config.get("tie_word_embeddings", "lm_head.weight" not in tensors)),
        has_chat_template=has_chat_template(path),
        kv_token_values=kv_token_values(config),
        own_code=bool(config.get("auto_map")),
        modules=matrices(tensors),
        retrieval=retrieval_facts(path, config),
    )


def _whole_tokenizer(file: Path) -> None:
    """Raise BrokenWeights where tokenizer.json is not whole; its ends tell, for it may hold 10 MB."""
    if not file.is_file():
        return
    with open(file, "rb") as opened:
        first = opened.read(ENDS)
        opened.seek(max(0, file.stat().st_size - ENDS))
        last = opened.read()
    if first.startswith(LFS):
        raise BrokenWeights(f"{file}: a Git LFS pointer stands in place of the file", PULL)
    if not first.lstrip().startswith(b"{") or not last.rstrip().endswith(b"}"):
        raise BrokenWeights(f"{file}: no whole JSON object, it is cut short or another file")


def _of(kind: type[T], value: object) -> T | None:
    """The value where it is of that kind: a configuration may hold anything."""
    return value if isinstance(value, kind) and not isinstance(value, bool) else None


def matrices(tensors: Mapping[str, Tensor]) -> tuple[str, ...]:
    """The modules that multiply by a matrix, each name once for all layers: `model.layers.*.mlp.up_proj`."""
    names = {
        NUMBER.sub(".*", name.rpartition(".")[0])
        for name, tensor in tensors.items()
        if len(tensor.shape) == 2 and name.endswith((".weight", ".qweight"))
    }
    return tuple(sorted(names))


def weights_dtype(tensors: Mapping[str, Tensor]) -> str | None:
    """The dtype that holds most of the parameters, in torch's name."""
    counts: Counter[str] = Counter()
    for tensor in tensors.values():
        counts[tensor.dtype] += tensor.count
    if not counts:
        return None
    most = counts.most_common(1)[0][0]
    return DTYPES.get(most, most.lower())


def has_tokenizer(path: Path) -> bool:
    if any((path / name).is_file() for name in TOKENIZERS) or any(path.glob("*.tiktoken")):
        return True
    return (path / "vocab.json").is_file() and (path / "merges.txt").is_file()


def has_chat_template(path: Path) -> bool:
    """Whether the tokenizer has a chat template, in a file of its own or in its configuration."""
    if any((path / name).exists() for name in TEMPLATES):
        return True
    config = path / "tokenizer_config.json"
    return config.is_file() and bool(read_json(config).get("chat_template"))
