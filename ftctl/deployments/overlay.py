"""A model's folder with another chat template, made of links: LMDeploy takes templates from there alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ftctl.artifacts.chat_template import JINJA
from ftctl.errors import UsageError

# What a tokenizer's template may stand in besides tokenizer_config.json, over which the first wins.
OTHERS = frozenset({JINJA, "chat_template.json", "additional_chat_templates"})


def overlay_links(model: Path, below: str) -> dict[str, Path]:
    """The links of a folder `below` the deployment's: the model's files, without its template."""
    return {f"{below}/{path.name}": path for path in sorted(model.iterdir()) if path.name not in OTHERS}


def overlay_template(own: Any, told: Mapping[str, Any], below: str) -> dict[str, str]:
    """The template's file in that folder: `own` jinja, `told` the values of names that a request leaves out.

    Raises UsageError where there is no jinja.
    """
    if not isinstance(own, str):
        raise UsageError("the model has no chat template to serve", "set deploy.engine: vllm")
    unasked = (
        f"{{%- if {name} is not defined %}}{{%- set {name} = {_literal(value)} %}}{{%- endif %}}"
        for name, value in told.items()
    )
    return {f"{below}/{JINJA}": "".join(unasked) + own}


def _literal(value: Any) -> str:
    """A plain value as jinja writes it."""
    return "none" if value is None else json.dumps(value, ensure_ascii=False)
