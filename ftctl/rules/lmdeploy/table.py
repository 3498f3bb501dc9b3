"""All rules of LMDeploy's API server, in one table, and the small valid server that their examples change."""

from __future__ import annotations

from collections.abc import Mapping

from ftctl.rules.book import Book
from ftctl.rules.lmdeploy import backends, settings
from ftctl.rules.rule import Rule, for_command
from ftctl.rules.setting import Arguments

GROUPS: Mapping[str, tuple[Rule, ...]] = {"Two engines": backends.RULES, "Settings": settings.RULES}
# Without a batch size the command asks a GPU for one.
BASE: Arguments = {"model_path": "base", "max_batch_size": 64}
# What LMDeploy 0.18.0 takes where nothing is written; a test asks the engine.
DEFAULTS: Arguments = {
    "backend": "turbomind", "cache_block_seq_len": 64, "cache_max_entry_count": 0.8, "communicator": "nccl",
    "device": "cuda", "dp": 1, "ep": 1, "kernel_block_size": -1, "max_prefill_token_num": 8192, "nnodes": 1,
    "quant_policy": 0, "tp": 1,
}  # fmt: skip
BOOK = Book(
    "lmdeploy", "LMDeploy", "0.18.0", for_command("api_server", GROUPS), {"api_server": BASE}, DEFAULTS
)
