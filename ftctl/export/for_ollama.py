"""Whole weights made ready for Ollama: the Modelfile beside them, and what it reads of their tokenizer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ftctl.artifacts.chat_template import TRAINED
from ftctl.artifacts.weights import read_json
from ftctl.errors import FtctlError
from ftctl.export.contents import put
from ftctl.export.ollama import INSTEAD, MODELFILE, Checked, checked, modelfile
from ftctl.export.source import Source

TOKENIZER, CONFIG = "tokenizer.json", "tokenizer_config.json"


def add_modelfile(source: Source, folder: Path, weights: str = ".") -> tuple[dict[str, str], tuple[str, ...]]:
    """Write the Modelfile of a folder that has its tokenizer; sha256 by name, and what there is to say.

    Raises FtctlError where nothing is recorded of the template, or where no Go template gives its tokens.
    """
    trained = source.run.read_json(TRAINED)
    if trained is None:
        raise FtctlError("the run has no record of the template that it trained with", INSTEAD)
    made = check_template(trained, folder)
    end = trained.get("end")
    files = put(folder, MODELFILE, modelfile(made, weights, end["token"] if end else None))
    return files | _say_bos(folder, made), _notes(made)


def check_template(trained: dict[str, Any], folder: Path) -> Checked:
    """The Go template of a trained template, checked with the tokenizer in the folder. Raises FtctlError."""
    if not (folder / TOKENIZER).is_file():
        raise FtctlError(f"there is no {TOKENIZER}, with which the template could be checked", INSTEAD)
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    word = _bos(folder)
    number = None if word is None else tokenizer.token_to_id(word)

    def encode(said: str) -> list[int]:
        ids: list[int] = tokenizer.encode(said, add_special_tokens=False).ids
        return ids

    return checked(trained, encode, None if word is None or number is None else (number, word))


def _bos(folder: Path) -> str | None:
    """The token that begins a text, by the tokenizer's configuration."""
    config = read_json(folder / CONFIG) if (folder / CONFIG).is_file() else {}
    said = config.get("bos_token")
    word = said.get("content") if isinstance(said, dict) else said
    return word if isinstance(word, str) and word else None


def _say_bos(folder: Path, made: Checked) -> dict[str, str]:
    """Say whether the token that begins a text is to be put in front: the template leaves that to Ollama."""
    if not (folder / CONFIG).is_file() or _bos(folder) is None:
        return {}
    config = read_json(folder / CONFIG) | {"add_bos_token": made.bos is not None}
    return put(folder, CONFIG, json.dumps(config, indent=2, ensure_ascii=False) + "\n")


def _notes(made: Checked) -> tuple[str, ...]:
    said = [f"the Modelfile's template gives the tokens of the training in {made.count} conversations"]
    if made.bos is not None:
        said.append(f"{made.bos} is put in front by Ollama, as {CONFIG} says, and not by the template")
    if made.left:
        said.append(f"not in the Modelfile: {', '.join(made.left)}")
    return tuple(said)
