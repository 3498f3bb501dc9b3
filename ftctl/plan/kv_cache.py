"""What a model's keys and values take: the memory that long answers and many at once need."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

BLOCK = 128  # tokens of one KV cache block on the CPU


def kv_token_values(config: Mapping[str, Any]) -> int | None:
    """Numbers that one token adds to the cache, from a config.json: a key and a value vector per layer and
    key-value head. None where the config does not say."""
    text = config.get("text_config")
    config = text if isinstance(text, Mapping) else config
    layers, heads = config.get("num_hidden_layers"), config.get("num_attention_heads")
    hidden = config.get("hidden_size")
    if not (isinstance(layers, int) and isinstance(heads, int) and isinstance(hidden, int) and heads > 0):
        return None
    width = config.get("head_dim") or hidden // heads
    return 2 * layers * (config.get("num_key_value_heads") or heads) * int(width)


def kv_need(token_values: int | None, dtype: str, length: int | None) -> int | None:
    """Bytes of cache that one request of `length` tokens takes, in whole blocks; None where unknown."""
    if token_values is None or length is None:
        return None
    size = 4 if dtype in {"float32", "float"} else 2
    return token_values * size * BLOCK * (-(-length // BLOCK) + 1)
