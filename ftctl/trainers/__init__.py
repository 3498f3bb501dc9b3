"""Trainers: a module and a table entry each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from ftctl.events import Event
from ftctl.plan.model import Plan
from ftctl.rendered import Rendered


class Trainer(Protocol):
    """What a trainer must offer. All of it is pure: values in, values out."""

    NAME: str
    TASKS: frozenset[str]

    def render(self, plan: Plan) -> Rendered:
        """The training command and its native files; the working directory is the run directory."""

    def render_resume(self, plan: Plan, checkpoint: str) -> Rendered:
        """`render`, going on from a checkpoint; `checkpoint` is its folder in the run directory."""

    def arguments(self, plan: Plan) -> Mapping[str, Any]:
        """Everything that the training command is told, under the engine's own names."""

    def program(self, plan: Plan) -> str:
        """Which of the engine's programs trains, as its schema and its rules name it."""

    def render_data(self, plan: Plan, python: str) -> Rendered | None:
        """The command that converts data before the training, by ftctl's own interpreter `python`; None
        where the engine reads the files as they are."""

    def render_merge(self, plan: Plan) -> Rendered | None:
        """The command that merges an adapter into its base; None where nothing is to be merged."""

    def progress(self, line: str) -> Event | None:
        """The event that a line of the engine's own progress file stands for; None for any other line."""

    def results(self, plan: Plan) -> Mapping[str, Path]:
        """Where the result lies, relative to the run directory: `model` or `adapter`, then `merged`."""
