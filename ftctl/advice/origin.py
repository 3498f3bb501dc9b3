"""What a model's name and folder say of it: instruct or base, and how many parameters."""

from __future__ import annotations

import re
from typing import NamedTuple

from ftctl.facts.model import ModelFacts

_INSTRUCT = re.compile(r"(?:^|[-_.])(?:instruct|chat|it|sft)(?:[-_.\d]|$)", re.I)
_BASE = re.compile(r"(?:^|[-_.])(?:base|pt|pretrain(?:ed)?)(?:[-_.]|$)", re.I)
_BILLIONS = re.compile(r"(?:^|[-_.])(\d+(?:\.\d+)?)b(?:[-_.]|$)", re.I)


class Origin(NamedTuple):
    """Whether a model is `instruct` or `base`, and how that is known, in words."""

    kind: str
    words: str


def origin(path: str, has_chat_template: bool | None) -> Origin | None:
    """Whether a model was taught to answer; None where neither name nor folder says so.

    A folder with a chat template may hold either: the base models of Qwen bring one too.
    """
    name = named(path)
    if _INSTRUCT.search(name):
        return Origin("instruct", "an instruct model (by its name)")
    if _BASE.search(name):
        return Origin("base", "a base model (by its name)")
    if has_chat_template is False:
        return Origin("base", "a base model (its tokenizer has no chat template)")
    return None


def size(model: ModelFacts) -> int | None:
    """The model's parameters: those of its weights, else what its name says (`Qwen3-8B`)."""
    found = _BILLIONS.search(named(model.path))
    return model.parameters or (round(float(found[1]) * 1e9) if found else None)


def named(path: str) -> str:
    """The name of a model's folder or Hub id; of a folder in the Hub's cache the model's own."""
    parts = [part for part in path.split("/") if part]
    cached = next((part for part in reversed(parts) if part.startswith("models--")), None)
    return cached.rpartition("--")[2] if cached else parts[-1] if parts else path
