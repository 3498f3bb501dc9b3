"""All rules of vLLM, in one table, and the small valid server that their examples change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ftctl.rules.book import Book
from ftctl.rules.rule import Rule, for_command
from ftctl.rules.vllm import experts, lora, model, parallel, scheduling, server, speculation
from ftctl.rules.vllm.defaults import DEFAULTS

GROUPS: Mapping[str, tuple[Rule, ...]] = {
    "Server": server.RULES,
    "Requests and cache": scheduling.RULES,
    "Model and compilation": model.RULES,
    "Several ranks": parallel.RULES,
    "Experts and microbatches": experts.RULES,
    "Adapters": lora.RULES,
    "Speculation": speculation.RULES,
}
# The small valid server that the examples are added to.
BASE: Mapping[str, Any] = {"model": "base", "dtype": "float32", "max_model_len": 64}
BOOK = Book("vllm", "vLLM", "0.32.0", for_command("serve", GROUPS), {"serve": BASE}, DEFAULTS)
