"""The files of a dummy's result: everything that a trained model's folder has, and every one says what it is.

Standard library only. The weights are one matrix that holds the number of the step, so that two results can
be told apart; no engine knows the architecture or the kind of adapter, so that none can load them.
"""

import json
import pathlib
import struct
import zipfile
from collections.abc import Mapping
from typing import Any

MARK = "ftctl_dummy"
README = """\
# An artifact of ftctl's dummy

`train.engine: dummy` wrote this folder for a test of a pipeline. Nothing was trained, the weights are the
number of a step, and only `deploy.engine: dummy` serves it.
"""
TEMPLATE = (
    "{# ftctl dummy: no model reads this #}"
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}"
)
WORDS = ("[UNK]", "[ftctl", "dummy]")


def write_model(folder: pathlib.Path, asked: Mapping[str, Any], step: int) -> None:
    """Whole weights with their tokenizer; `asked` are the trainer's arguments."""
    config = {
        "architectures": [asked["architecture"]],
        "model_type": MARK,
        MARK: True,
        "base_model": asked["model"],
        "hidden_size": 8,
        "num_labels": 1,
        "vocab_size": len(WORDS),
        "torch_dtype": "float32",
        "step": step,
    }
    vocabulary = {word: number for number, word in enumerate(WORDS)}
    tokenizer: dict[str, Any] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": None,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": WORDS[0]},
    }
    write_json(folder / "tokenizer.json", tokenizer)
    write_json(folder / "tokenizer_config.json", {MARK: True, "tokenizer_class": "PreTrainedTokenizerFast"})
    write_text(folder / "chat_template.jinja", TEMPLATE)
    write_text(folder / "README.md", README)
    write_weights(folder / "model.safetensors", f"{MARK}.weight", step)
    write_json(folder / "config.json", config)


def write_adapter(folder: pathlib.Path, asked: Mapping[str, Any], step: int) -> None:
    """An adapter's weights and its configuration.

    peft knows no such peft_type, and vLLM 0.32.0 takes no adapter without target_modules.
    """
    config = {
        MARK: True,
        "peft_type": MARK.upper(),
        "base_model_name_or_path": asked["model"],
        "r": asked["lora_rank"],
        "lora_alpha": asked["lora_alpha"],
        "task_type": "CAUSAL_LM",
        "step": step,
    }
    write_text(folder / "chat_template.jinja", TEMPLATE)
    write_text(folder / "README.md", README)
    write_weights(folder / "adapter_model.safetensors", f"base_model.model.{MARK}.lora_A.weight", step)
    write_json(folder / "adapter_config.json", config)


def write_weights(path: pathlib.Path, name: str, step: int) -> None:
    """A safetensors file with one matrix of 4 × 4 numbers, each of them the step."""
    numbers = struct.pack("<16f", *([float(step)] * 16))
    tensor = {"dtype": "F32", "shape": [4, 4], "data_offsets": [0, len(numbers)]}
    header = json.dumps({"__metadata__": {MARK: "true"}, name: tensor}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + numbers)


def write_archive(path: pathlib.Path) -> None:
    """A file such as torch.save makes, a zip archive, with nothing in it but a word."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ftctl_dummy/README", "Nothing is kept here: a dummy wrote it.\n")


def write_json(path: pathlib.Path, value: object) -> None:
    write_text(path, json.dumps(value, indent=2) + "\n")


def write_text(path: pathlib.Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def marked(folder: pathlib.Path) -> bool:
    """Whether a folder holds a dummy's model or adapter."""
    for name in ("adapter_config.json", "config.json"):
        try:
            return json.loads((folder / name).read_text(encoding="utf-8")).get(MARK) is True
        except (OSError, ValueError, AttributeError):
            continue
    return False
