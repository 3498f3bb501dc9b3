"""A model's folder with another chat template, made of links: LMDeploy takes templates from there alone."""

from __future__ import annotations

from pathlib import Path

# What a tokenizer's template may stand in besides tokenizer_config.json, over which the first wins.
TEMPLATE = "chat_template.jinja"
OTHERS = frozenset({TEMPLATE, "chat_template.json", "additional_chat_templates"})


def overlay_links(model: Path, template: Path, below: str) -> dict[str, Path]:
    """The links of a folder `below` the deployment's: the model's files, and `template` as its template."""
    kept = (path for path in sorted(model.iterdir()) if path.name not in OTHERS)
    return {f"{below}/{path.name}": path for path in kept} | {f"{below}/{TEMPLATE}": template}
