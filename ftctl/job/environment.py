"""References to environment variables, `${env:NAME}` and `${env:NAME:-default}`, resolved in a tree."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ftctl.errors import Problem
from ftctl.job.node import Node, Path, problem
from ftctl.job.shape import Schema, step, typed

SECRET = "x-ftctl-secret"  # noqa: S105 - the name of an annotation
_REFERENCE = re.compile(r"\$\$\{|\$\{([^{}]*)\}")
_NAME = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)


def resolve(root: Node, schema: Schema, environ: Mapping[str, str]) -> tuple[Node, tuple[Problem, ...]]:
    """The tree with every reference replaced, and the references that cannot be.

    A secret key keeps its reference. `$${` stands for a literal `${`. A value without quotes that is one
    reference and nothing else is read as its key wants it: `epochs: ${env:EPOCHS}` is a number.
    """
    problems: list[Problem] = []

    def replaced(node: Node, found: Schema | None, path: Path) -> Node:
        if found is not None and found.get(SECRET):
            return node
        value: Any = node.value
        if isinstance(value, dict):
            value = {k: replaced(v, step(found, k, node.value), (*path, k)) for k, v in value.items()}
        elif isinstance(value, list):
            value = [replaced(v, step(found, i, node.value), (*path, i)) for i, v in enumerate(value)]
        elif isinstance(value, str) and "${" in value:
            text, faults = expand(value, environ)
            problems.extend(problem(node.place, path, *fault) for fault in faults)
            whole = _REFERENCE.fullmatch(value) is not None and not value.startswith("$$")
            value = typed(text, found, plain=node.plain and whole)
        else:
            return node
        return Node(value, node.place, node.keys, node.plain, node.size, node.depth)

    return replaced(root, schema, ()), tuple(problems)


def expand(text: str, environ: Mapping[str, str]) -> tuple[str, list[tuple[str, str]]]:
    """The text with its references replaced, and what is wrong with them: message and remedy."""
    faults: list[tuple[str, str]] = []

    def value(match: re.Match[str]) -> str:
        if match[1] is None:
            return "${"
        reference = _NAME.fullmatch(match[1])
        if reference is None:
            name = match[1].removeprefix("env:").removeprefix("ENV:") or "NAME"
            faults.append(
                (f"{match[0]} is no reference", f"write ${{env:{name}}}, or $${{ for a literal ${{")
            )
            return match[0]
        name, default = reference[1], reference[2]
        if default is not None:
            return environ.get(name) or default
        if name not in environ:
            remedy = f"set it, or write ${{env:{name}:-default}}"
            faults.append((f"the environment variable {name} is not set", remedy))
        return environ.get(name, match[0])

    return _REFERENCE.sub(value, text), faults
