"""The reference of every key as Markdown, made from the schema.

`python -m ftctl.job.reference` writes it into `docs/job-file.md`, below the line that begins it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ftctl.job.explain import wanted
from ftctl.job.files import FILES
from ftctl.job.later import LATER
from ftctl.job.rules import RULES
from ftctl.job.shape import Schema, inline

BEGIN = "<!-- Made from schemas/job.schema.json by `python -m ftctl.job.reference`; do not edit below. -->\n"


def reference(schema: Schema) -> str:
    """Every key of every block with type, default and meaning, then the rules between keys."""
    lines = [BEGIN, "## Every key\n"]
    for path, block in _blocks(inline(schema), ()):
        lines.append(f"### {path or 'The top level'}\n" if not path else f"### `{path}`\n")
        if path:
            lines.append(f"{block['description']}\n")
        lines += ["| key | value | default | meaning |", "|---|---|---|---|"]
        required = block.get("required", ())
        lines += [_row(key, child, key in required) for key, child in block["properties"].items()]
        lines.append("")
    lines += ["## Rules between keys\n", *(f"- **{rule.name}**: {rule.says}" for rule in RULES)]
    return "\n".join(lines) + "\n"


def _blocks(schema: Schema, path: tuple[str, ...]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every level that has keys, each once: a data file is described at its first place."""
    if schema.get("properties"):
        yield ".".join(path), schema
    for key, child in schema.get("properties", {}).items():
        if "key" not in child.get(LATER, {}) and (*path, key) not in FILES[1:]:
            yield from _blocks(child, (*path, key))
    for branch in schema.get("anyOf", ()):
        if "properties" in branch:
            yield from _blocks(branch, path)


def _row(key: str, schema: Schema, required: bool) -> str:
    default = "**needed**" if required else _default(schema)
    meaning = schema["description"]
    if "key" in schema.get(LATER, {}):
        meaning += " *Not available in this version.*"
    elif values := [*schema.get(LATER, {}).get("values", ())]:
        meaning += f" *Not available in this version: {', '.join(values)}.*"
    elif "above" in schema.get(LATER, {}):
        meaning += f" *More than {schema[LATER]['above']}: not available in this version.*"
    example = _written(schema["examples"][0])
    return _cells(f"`{key}`", _value(schema), default, f"{meaning} Example: `{example}`")


def _default(schema: Schema) -> str:
    if schema.get("default") is None:
        return ""
    return f"`{_written(schema['default'])}`"


def _value(schema: Schema) -> str:
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = " ".join(
        f"{sign} {int(schema[name]) if schema[name] == int(schema[name]) else schema[name]}"
        for name, sign in signs.items()
        if name in schema
    )
    return f"{wanted(schema)}{', ' if limits else ''}{limits}"


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _cells(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    from ftctl.paths import bundled

    page = bundled("schemas").parent / "docs" / "job-file.md"
    source = json.loads((bundled("schemas") / "job.schema.json").read_text())
    page.write_text(page.read_text().partition(BEGIN)[0] + reference(source))
    print(f"wrote {Path(page)}")
