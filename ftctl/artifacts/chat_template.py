"""What a language model was trained to see of a conversation, beside its weights.

The training engine writes `trained_template.json` (inside/llamafactory_template.py): for each of a fixed set
of conversations the token ids up to the answer, the jinja that gives the same, and the token that ends an
answer. Every server of the model is held against it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ftctl.artifacts.weights import read_json, read_template

TRAINED = "trained_template.json"
JINJA, GENERATION = "chat_template.jinja", "generation_config.json"


def saved_template(folder: Path) -> Any:
    """The chat template that a reader of the folder finds: of a file of its own, else of its tokenizer's."""
    file, config = folder / JINJA, folder / "tokenizer_config.json"
    if file.is_file():
        return read_template(file)
    return read_json(config).get("chat_template") if config.is_file() else None


def mended(folder: Path, trained: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """The files that a folder needs to be served as trained: name, content, and what is mended in words."""
    jinja, end = trained.get("chat_template"), trained.get("end")
    if isinstance(jinja, str) and saved_template(folder) != jinja:
        told = (
            f"the chat template of {trained.get('template') or 'the base model'}, in place of the saved one"
        )
        yield JINJA, jinja, told
    if end is None or not (folder / "config.json").is_file() or end["id"] in _listed(folder, GENERATION):
        return
    file = folder / GENERATION
    stops = [end["id"], *sorted(_listed(folder, GENERATION) or _listed(folder, "config.json"))]
    config = {**(read_json(file) if file.is_file() else {}), "eos_token_id": stops}
    yield GENERATION, json.dumps(config, indent=2) + "\n", f"{end['token']} ends an answer, as trained"


def usual_kwargs(folder: Path) -> dict[str, Any]:
    """What a server's chat template is to be told unasked: not to think, where that alone was trained."""
    file = folder / TRAINED
    usual = read_json(file).get("usual") if file.is_file() else None
    return usual if isinstance(usual, dict) else {}


def stops(folder: Path) -> frozenset[int]:
    """The ids of the tokens that end an answer for a server: the tokenizer's own and those listed."""
    listed = _listed(folder, GENERATION if (folder / GENERATION).is_file() else "config.json")
    return listed | _tokenizer_end(folder)


def _listed(folder: Path, name: str) -> frozenset[int]:
    value = read_json(folder / name).get("eos_token_id") if (folder / name).is_file() else None
    found = value if isinstance(value, list) else [value]
    return frozenset(one for one in found if isinstance(one, int))


def _tokenizer_end(folder: Path) -> frozenset[int]:
    """The id of the tokenizer's end token, where its files are of the usual kind."""
    config, file = folder / "tokenizer_config.json", folder / "tokenizer.json"
    if not (config.is_file() and file.is_file()):
        return frozenset()
    end = read_json(config).get("eos_token")
    word = end.get("content") if isinstance(end, dict) else end
    added = read_json(file).get("added_tokens") or []
    named = (token for token in added if isinstance(token, dict) and token.get("content") == word)
    return frozenset(token["id"] for token in named if word and isinstance(token.get("id"), int))
