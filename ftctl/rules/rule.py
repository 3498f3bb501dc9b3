"""One rule: what is wrong when it holds, what to say, and the examples that prove it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ftctl.rules.condition import Condition
from ftctl.rules.setting import Place

Severity = Literal["error", "warning"]
# parser: the engine's own parser refuses. silent: the engine accepts it and does something else.
# later: it fails after the parser, while loading or training. gpu: refused only beside or without a GPU.
Proof = Literal["parser", "silent", "later", "gpu"]


@dataclass(frozen=True)
class Rule:
    """A named rule of an engine, in the version of its book.

    `name` is kept from version to version: jobs silence rules by it. `source` is `file:function` of the
    code that it mirrors, below the package. `about` are the arguments that it speaks of, under the
    engine's names: the first is the subject of `message`, and the first that the job writes is pointed to;
    `{argument}` in a text becomes the job's own key for it. `refused` and `allowed` are added to a small
    valid training: the smallest change that breaks the rule, and the nearest that keeps it; DROP takes an
    argument away. `place` is where the examples are tried, `command` the engine's command. `also` are further
    commands that the rule holds for. With `each`, every argument of `about` is asked and told by itself.
    `unproved` says what the proof of a `later` rule would need that the tests do not have.
    """

    name: str
    source: str
    broken: Condition
    about: tuple[str, ...]
    message: str
    remedy: str
    refused: Mapping[str, Any]
    allowed: Mapping[str, Any] = field(default_factory=dict)
    severity: Severity = "error"
    proof: Proof = "parser"
    place: Place = field(default_factory=Place)
    command: str = "train"
    each: Callable[[str], Condition] | None = None
    also: tuple[str, ...] = ()
    unproved: str = ""

    def speaks_of(self, command: str) -> bool:
        """Whether the rule is one of that command."""
        return command == self.command or command in self.also


DROP = "…"
TWO = Place(world_size=2)


def example(rule: Rule, change: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    """The small valid job `base` with one of the rule's examples in it."""
    return {key: value for key, value in {**base, **change}.items() if value != DROP}


def for_command(command: str, groups: Mapping[str, tuple[Rule, ...]]) -> Mapping[str, tuple[Rule, ...]]:
    """The groups with every rule about that command: an engine with one command need not repeat it."""
    return {name: tuple(replace(rule, command=command) for rule in rules) for name, rules in groups.items()}
