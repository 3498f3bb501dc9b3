"""A book of rules: all that ftctl knows of one engine's rules, in one version of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ftctl.rules.rule import Rule, example
from ftctl.rules.setting import Arguments, Place, Setting


@dataclass(frozen=True)
class Book:
    """The rules of one engine. `groups` are rules by the heading they stand under in docs/rules.md.

    `bases` are small valid jobs by the engine's command, under the engine's names: the examples of a rule
    are changes of them. `defaults` is what the engine takes where nothing is written.
    """

    engine: str
    title: str
    version: str
    groups: Mapping[str, tuple[Rule, ...]]
    bases: Mapping[str, Arguments]
    defaults: Arguments

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """Every rule, in the order of the groups."""
        return tuple(rule for rules in self.groups.values() for rule in rules)

    def example(self, rule: Rule, change: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of one of a rule's examples, `rule.refused` or `rule.allowed`."""
        return example(rule, change, self.bases[rule.command])

    def setting(self, arguments: Arguments, place: Place, command: str) -> Setting:
        """The arguments in their place, with this engine's defaults behind them."""
        return Setting(arguments, place, command, self.defaults)
