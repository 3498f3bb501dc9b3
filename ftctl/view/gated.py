"""A verdict for people: each rule with what came of it."""

from __future__ import annotations

from ftctl.judge.verdict import Verdict, sentence


def gated(found: Verdict) -> str:
    """Whether the gate is met, and a line for each rule."""
    head = "the gate is met" if found.met else "the gate is not met"
    rules = (f"{'✓' if rule.met else '✗'} {sentence(rule)}" for rule in found.rules)
    return "\n".join(f"  {line}" for line in (head, *rules))
