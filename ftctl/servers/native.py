"""A server's arguments as a job spells them, under one name each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def nested(native: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with underscores; `compilation-config.mode` goes into the mapping that it is a key of."""
    found: dict[str, Any] = {}
    for key, value in native.items():
        name, dot, inner = key.removeprefix("--").replace("-", "_").partition(".")
        within = found.get(name)
        if not dot:
            found[name] = value
        elif within is None or isinstance(within, Mapping):
            found[name] = {**(within or {}), inner: value}
    return found
