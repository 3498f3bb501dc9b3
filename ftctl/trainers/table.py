"""The table of trainers."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

from ftctl.plan.model import Plan

if TYPE_CHECKING:
    from ftctl.trainers import Trainer


TRAINERS = ("llamafactory", "flagembedding", "dummy")  # each a module beside this, imported when asked for


def trainer(name: str) -> Trainer:
    """The trainer of that name. Raises KeyError for a name that the schema does not let through."""
    if name not in TRAINERS:
        raise KeyError(name)
    return cast("Trainer", import_module(f"ftctl.trainers.{name}"))


def trainer_of(plan: Plan) -> Trainer:
    """The trainer that a plan was made for."""
    if plan.train is None:
        raise ValueError("the plan trains nothing")
    return trainer(plan.train.engine)
