"""All rules of LLaMA-Factory, in one table, and the small valid jobs that their examples change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ftctl.rules.book import Book
from ftctl.rules.llamafactory import (
    data,
    distributed,
    finetuning,
    loading,
    model_arguments,
    optimizers,
    packages,
    silent,
    stages,
    trainer,
)
from ftctl.rules.llamafactory.defaults import DEFAULTS
from ftctl.rules.rule import Rule

GROUPS: Mapping[str, tuple[Rule, ...]] = {
    "Methods": finetuning.RULES,
    "Data": data.RULES,
    "Model": model_arguments.RULES,
    "Steps, strategies and precision": trainer.RULES,
    "Stages and evaluation": stages.RULES,
    "Several devices": distributed.RULES,
    "Optimizers and losses": optimizers.RULES,
    "Loading": loading.RULES,
    "Packages": packages.RULES,
    "Accepted in silence": silent.RULES,
}
# The small valid training that the examples are added to.
BASE: Mapping[str, Any] = {
    "model_name_or_path": "base",
    "stage": "sft",
    "do_train": True,
    "finetuning_type": "lora",
    "dataset": "one",
    "output_dir": "output",
    "use_cpu": True,
    "bf16": True,
}
BOOK = Book("llamafactory", "LLaMA-Factory", "0.9.5", GROUPS, {"train": BASE}, DEFAULTS)
