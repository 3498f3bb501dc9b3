"""The table of trainers."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, cast

from ftctl.plan.model import Plan

if TYPE_CHECKING:
    from ftctl.trainers import Trainer


def trainer(name: str) -> Trainer:
    """The trainer of that name. Raises KeyError for a name that the schema does not let through."""
    from ftctl.trainers import dummy, flagembedding, llamafactory

    table: dict[str, ModuleType] = {one.NAME: one for one in (llamafactory, flagembedding, dummy)}
    return cast("Trainer", table[name])


def trainer_of(plan: Plan) -> Trainer:
    """The trainer that a plan was made for."""
    if plan.train is None:
        raise ValueError("the plan trains nothing")
    return trainer(plan.train.engine)
