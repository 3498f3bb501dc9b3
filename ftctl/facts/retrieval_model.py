"""What a model folder says of its use as an embedder or a reranker, mostly by sentence-transformers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ftctl.artifacts.weights import read_json, read_value
from ftctl.facts.model import RetrievalFacts

# Their position tables begin after the padding token's index (transformers, `create_position_ids_…`).
PADDED_POSITIONS = frozenset(
    {"camembert", "longformer", "mpnet", "roberta", "roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl"}
)
M3_FILES = ("colbert_linear.pt", "sparse_linear.pt")
# sentence-transformers' names of a pooling to FlagEmbedding's; up to 5.x a switch each, then one word.
POOLINGS = {
    "pooling_mode_cls_token": "cls", "pooling_mode_mean_tokens": "mean",
    "pooling_mode_lasttoken": "last_token", "cls": "cls", "mean": "mean", "lasttoken": "last_token",
}  # fmt: skip


def retrieval_facts(path: Path, config: Mapping[str, Any]) -> RetrievalFacts:
    """The facts about a folder with this config.json. Raises BrokenWeights where another file is no JSON."""
    modules = _modules(path)
    prompts = _json(path / "config_sentence_transformers.json").get("prompts")
    prompts = prompts if isinstance(prompts, dict) else {}
    labels = config.get("id2label")
    return RetrievalFacts(
        pooling=_pooling(path, modules),
        normalize="Normalize" in modules if modules else None,
        query_prompt=_prompt(prompts, "query"),
        passage_prompt=_prompt(prompts, "passage") or _prompt(prompts, "document"),
        query_suffix=_prompt(prompts, "query_suffix"),
        length=_count(_json(path / "sentence_bert_config.json").get("max_seq_length")),
        positions=_positions(config),
        labels=len(labels) if isinstance(labels, dict) else _count(config.get("num_labels")),
        others=tuple(sorted(modules.keys() - {"Transformer", "Pooling", "Normalize"})),
        m3=all((path / name).is_file() for name in M3_FILES),
        start_layer=_count(config.get("start_layer")) if "head_type" in config else None,
    )


def _modules(path: Path) -> dict[str, str]:
    """The modules of a sentence-transformers model: the last part of each one's class to its folder."""
    file = path / "modules.json"
    if not file.is_file():
        return {}
    listed = read_value(file)
    rows = [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []
    return {str(row.get("type")).rpartition(".")[2]: str(row.get("path", "")) for row in rows}


def _pooling(path: Path, modules: Mapping[str, str]) -> str | None:
    """FlagEmbedding's name of the model's pooling; sentence-transformers' own where it has none."""
    folder = modules.get("Pooling", "1_Pooling")
    if Path(folder).is_absolute() or ".." in Path(folder).parts:
        return None
    config = _json(path / folder / "config.json")
    if isinstance(mode := config.get("pooling_mode"), str):
        return POOLINGS.get(mode, mode)
    switched = [name for name, value in config.items() if name.startswith("pooling_mode_") and value is True]
    names = [POOLINGS.get(name, name.removeprefix("pooling_mode_")) for name in switched]
    return "+".join(names) or None


def _prompt(prompts: Mapping[str, Any], name: str) -> str | None:
    prompt = prompts.get(name)
    return prompt if isinstance(prompt, str) and prompt else None


def _positions(config: Mapping[str, Any]) -> int | None:
    """Tokens that the model can read at once."""
    whole = _count(config.get("max_position_embeddings"))
    if whole is None or config.get("model_type") not in PADDED_POSITIONS:
        return whole
    padding = config.get("pad_token_id")
    return whole - (padding if isinstance(padding, int) else 1) - 1


def _json(file: Path) -> dict[str, Any]:
    return read_json(file) if file.is_file() else {}


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
