"""The model card: what a model is made of, for whoever has only its folder (README.md as Hubs read it)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

FORMS = {
    "merged": "whole weights, as safetensors",
    "adapter": "a LoRA adapter, to be attached to its base model",
    "ollama": "whole weights and a Modelfile for Ollama",
    "gguf": "whole weights in one GGUF file, for llama.cpp and what is built on it",
}
TAGS = {"embedding": "sentence-similarity", "reranker": "text-ranking"}  # the Hub's own pipeline tags


@dataclass(frozen=True)
class DataFile:
    """One file that was trained or evaluated on; `sha256` is of its bytes."""

    name: str
    use: str  # training | evaluation
    format: str
    rows: int
    sha256: str


@dataclass(frozen=True)
class Card:
    """All that a card tells. `base` is a Hub id or a folder's name; `figures` are rows of a table, its head
    first; `notes` are sentences about the files."""

    name: str
    form: str
    run: str
    task: str
    method: str
    base: str
    base_on_hub: bool
    job: Mapping[str, Any]
    choices: Sequence[tuple[str, str]]
    data: Sequence[DataFile]
    metrics: Mapping[str, Any]
    versions: Mapping[str, str]
    figures: Sequence[Sequence[str]] = ()
    template: Mapping[str, Any] | None = None
    notes: Sequence[str] = field(default_factory=tuple)


def text(card: Card) -> str:
    """The whole card. It names no license: that is the base model's and the data's to say."""
    blocks = [
        _front(card),
        f"# {_plain(card.name)}",
        _opening(card),
        "\n".join(f"- {note}" for note in card.notes),
        _template(card),
        "## Data\n\n" + _table(("file", "used for", "format", "rows", "sha256"), map(_row, card.data)),
        _results(card),
        "## Job\n\nThe job that made it, without defaults, paths, addresses and how it was "
        f"served.\n\n{_fenced(_yaml(card.job))}",
        _chosen(card),
        "## Versions\n\n" + _table(("", "version"), card.versions.items()),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _front(card: Card) -> str:
    said: dict[str, Any] = {"base_model": card.base} if card.base_on_hub else {}
    said["library_name"] = _library(card)
    said["pipeline_tag"] = TAGS.get(card.task, "text-generation")
    if card.base_on_hub:
        said["base_model_relation"] = "adapter" if card.form == "adapter" else "finetune"
    said["tags"] = ["ftctl", card.task, card.method, *(["gguf"] if card.form == "gguf" else [])]
    return f"---\n{_yaml(said)}\n---"


def _library(card: Card) -> str:
    if card.form == "gguf":
        return "gguf"
    if card.form == "adapter":
        return "peft"
    return "sentence-transformers" if card.task in TAGS else "transformers"


def _opening(card: Card) -> str:
    return (
        f"{FORMS[card.form].capitalize()}. Trained from {_plain(card.base)} by "
        f"ftctl in run `{card.run}` ({card.task}, {card.method}). "
        "No license is stated here: what applies follows from the base model and the data."
    )


def _template(card: Card) -> str:
    if card.template is None:
        return ""
    name = card.template.get("template") or "the base model's own"
    end = card.template.get("end")
    ends = f" An answer ends with `{end['token']}`." if end else ""
    count = len(card.template.get("conversations") or ())
    return (
        f"## Chat template\n\nTrained with the template {_plain(str(name))}.{ends} `trained_template.json` "
        f"of the run holds {count} conversations in trained tokens, by which a server can be checked."
    )


def _results(card: Card) -> str:
    rows = [(name, _figure(value)) for name, value in card.metrics.items() if value is not None]
    blocks = ["## Results", _table(("", "value"), rows)]
    if card.figures:
        head, *lines = card.figures
        blocks.append("On held-out rows, through the served model:\n\n" + _table(head, lines))
    return "\n\n".join(blocks)


def _chosen(card: Card) -> str:
    if not card.choices:
        return ""
    return "What ftctl derived for it:\n\n" + _table(("", "chosen"), card.choices)


def _row(file: DataFile) -> tuple[str, ...]:
    return file.name, file.use, file.format, str(file.rows), file.sha256


def _figure(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _table(head: Sequence[str], rows: Any) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_plain(str(cell)) for cell in line) + " |" for line in lines)


def _plain(said: str) -> str:
    """A text as one line of Markdown that a table can hold."""
    return " ".join(said.split()).replace("|", "\\|").replace("<", "&lt;")


def _yaml(value: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(value), sort_keys=False, allow_unicode=True, width=100).rstrip("\n")


def _fenced(said: str) -> str:
    return f"```yaml\n{said}\n```" if "```" not in said else f"~~~~yaml\n{said}\n~~~~"
