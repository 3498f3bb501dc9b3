"""The file to import, read both ways: as a mapping of keys, and as a shell script's commands."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ftctl.errors import JobError, Problem
from ftctl.importing.shell_words import Command, commands
from ftctl.job.node import Node, Place, problem, tree, values
from ftctl.job.yaml12 import compose


@dataclass(frozen=True)
class Around:
    """What the shell looked up beside the file, and what the command line said.

    `dataset_info` is the content of dataset_info.json, `dataset_folder` its folder as the job writes it;
    `here` is the working folder as the job writes it ("" where they are one); `is_dir` asks about a path
    from the working folder; `gpus` is how many GPUs the original trained on, None: not said.
    """

    stem: str = "job"
    dataset_info: Mapping[str, Any] | None = None
    dataset_folder: str = ""
    here: str = ""
    is_dir: Callable[[str], bool] = lambda path: False
    gpus: int | None = None


@dataclass(frozen=True)
class Source:
    """One file. `root` is its mapping, None where it is none; `unread` says why, `problems` what is wrong."""

    name: str
    text: str
    root: Node | None
    problems: tuple[Problem, ...] = ()
    unread: tuple[Problem, ...] = ()

    @cached_property
    def commands(self) -> tuple[Command, ...]:
        """The commands of the file, read as a shell script."""
        return tuple(commands(self.text))

    @property
    def document(self) -> dict[str, Any]:
        """The mapping as plain values; empty where the file is none."""
        found: dict[str, Any] = {} if self.root is None else values(self.root)
        return found

    def refuse(self, key: str, message: str, remedy: str = "") -> Problem:
        """A problem with a key of the mapping, at its place."""
        place = Place(self.name)
        if self.root is not None:
            place = self.root.keys.get(key, place)
        return problem(place, (key,) if key else (), message, remedy)


def read(text: str, name: str) -> Source:
    """The file's text as a source. Nothing is refused yet: what kind of file it is decides that."""
    try:
        root, problems = compose(text, name)
    except JobError as error:
        root, problems = _json(text, name), ()
        if root is None:
            return Source(name, text, None, unread=error.problems)
    if root is None or not isinstance(root.value, dict):
        return Source(name, text, None)
    return Source(name, text, root, problems)


def _json(text: str, name: str) -> Node | None:
    """JSON that is no YAML, such as JSON indented with tabs; a key that stands twice keeps its last value."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        return tree(json.loads(text), Place(name))
    except (ValueError, RecursionError):
        return None
