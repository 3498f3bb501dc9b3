"""The content of a DeepSpeed file that a job's native arguments name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

LARGEST = 1_000_000  # bytes; the longest of the engine's own examples has under two thousand


def deepspeed_config(value: Any) -> Mapping[str, Any] | None:
    """What the JSON file at an absolute path holds; None where that is not what `value` is."""
    if not isinstance(value, str) or not value.startswith("/"):
        return None
    try:
        with open(value, "rb") as file:
            content = json.loads(file.read(LARGEST))
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, Mapping) else None
