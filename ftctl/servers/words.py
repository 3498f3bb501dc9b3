"""What every server's command has in common: arguments as words, and an environment of the engine's own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ftctl.plan.model import ServePlan

INSIDE = Path(__file__).resolve().parents[1] / "inside"
# Arguments of vLLM that are given several times, and those that take a list as JSON.
REPEATED = frozenset({"middleware"})
JSON_LISTS = frozenset({"allowed-origins", "allowed-methods", "allowed-headers"})


def words(key: str, value: Any) -> tuple[str, ...]:
    """One argument as words; None takes it away, false is the flag's own negation."""
    flag = f"--{key}"
    if value is None:
        return ()
    if isinstance(value, bool):
        return (flag,) if value else (f"--no-{key}",)
    if isinstance(value, Mapping) or key in JSON_LISTS:
        return (flag, json.dumps(value, ensure_ascii=False))
    if isinstance(value, list | tuple):
        if key in REPEATED:
            return tuple(word for item in value for word in (flag, str(item)))
        return (flag, *(str(item) for item in value)) if value else ()
    text = str(value)
    return (f"{flag}={text}",) if text.startswith("-") else (flag, text)


def more_than_one(count: int) -> int | None:
    """A parallel size; one is the engine's own default and is left out."""
    return count if count > 1 else None


def isolated(plan: ServePlan, *, local: bool) -> dict[str, str | None]:
    """An environment in which the interpreter sees its own packages and the plan's GPUs; byte code may be
    written. A `local` model is served without asking a Hub."""
    env: dict[str, str | None] = {
        "PYTHONPATH": str(INSIDE),
        "PYTHONHOME": None,
        "PYTHONNOUSERSITE": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": None,
        "CUDA_VISIBLE_DEVICES": ",".join(str(device) for device in plan.devices),
    }
    if plan.devices:
        env["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
    return env | ({"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"} if local else {})
