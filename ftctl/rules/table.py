"""All rules of LLaMA-Factory, in one table."""

from __future__ import annotations

from collections.abc import Mapping

from ftctl.rules import (
    data,
    distributed,
    export,
    finetuning,
    loading,
    model_arguments,
    optimizers,
    packages,
    silent,
    stages,
    trainer,
)
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
    "Export": export.RULES,
}
RULES: tuple[Rule, ...] = tuple(rule for rules in GROUPS.values() for rule in rules)
NAMES: frozenset[str] = frozenset(rule.name for rule in RULES)
