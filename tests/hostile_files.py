"""What a stranger may put into a model's or an adapter's folder, and what ftctl is to say of it."""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

Damage = Callable[[Path], object]
LARGE = "1" + "0" * 4000
WIDE = b'{"a": [' + b"[]," * 6_000_000 + b"[]]}"


def _config(**changes: Any) -> Damage:
    def damage(folder: Path) -> None:
        file = folder / "config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))

    return damage


def _text(name: str, content: str | bytes) -> Damage:
    return lambda folder: (folder / name).write_bytes(
        content if isinstance(content, bytes) else content.encode()
    )


def _sparse(name: str, size: int) -> Damage:
    def damage(folder: Path) -> None:
        with open(folder / name, "wb") as file:
            file.truncate(size)

    return damage


def _pipe(name: str) -> Damage:
    def damage(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        os.mkfifo(folder / name)

    return damage


def _socket(folder: Path) -> None:
    here = Path.cwd()
    os.chdir(folder)  # the name of a socket has 107 characters at most
    try:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind("added_tokens.json")
    finally:
        os.chdir(here)


def _link(name: str, goal: str) -> Damage:
    def damage(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(goal)

    return damage


def _header(text: bytes, length: int | None = None) -> Damage:
    size = struct.pack("<Q", len(text) if length is None else length)
    return _text("model.safetensors", size + text)


def _tensor(**changes: Any) -> Damage:
    entry = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4], **changes}
    return _header(json.dumps({"a": entry}).encode().replace(b'"LARGE"', LARGE.encode()))


def _index(name: str) -> Damage:
    def damage(folder: Path) -> None:
        (folder / "model.safetensors").unlink()
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": name}}))

    return damage


# How a folder is made harmful, and words of the one error that it gives.
REFUSED: dict[str, tuple[Damage, str]] = {
    "an index out of the folder": (_index("../../etc/passwd"), "is no name of a shard"),
    "an index of an absolute path": (_index("/etc/x.safetensors"), "is no name of a shard"),
    "an index with a NUL": (_index("a\0b.safetensors"), r"the shard a\x00b.safetensors is missing"),
    "an index that colours the terminal": (_index("\x1b[31m\nError.safetensors"), r"\x1b[31m\nError"),
    "a link to another's file": (
        _link("tokenizer_config.json", "/etc/passwd"),
        "is a link out of the folder",
    ),
    "a link to what is served": (_link("chat_template.jinja", "/etc/passwd"), "is a link out of the folder"),
    "a link up": (_link("vocab.json", "../../secret"), "is a link that leads to no file"),
    "a link to itself": (_link("tokenizer_config.json", "tokenizer_config.json"), "leads to no file"),
    "a linked folder": (_link("1_Pooling", "/etc"), "is a link out of the folder"),
    "weights without an end": (_link("model.safetensors", "/dev/zero"), "is no regular file"),
    "a pipe for a tokenizer": (_pipe("tokenizer.json"), "is no regular file"),
    "a pipe for a template": (_pipe("chat_template.jinja"), "is no regular file"),
    "a pipe that only the engine reads": (_pipe("generation_config.json"), "is no regular file"),
    "a socket": (_socket, "is no regular file"),
    "a gigabyte of configuration": (_sparse("config.json", 2**30), "is too large"),
    "terabytes of modules": (_sparse("modules.json", 2**42), "is too large"),
    "terabytes of tokens": (_sparse("tokenizer.json", 2**42), "is too large"),
    "a long template": (_text("chat_template.jinja", "a" * 1_100_000), "too large"),
    "deep JSON": (_text("config.json", "[" * 100_000), "nested too deep"),
    "deep JSON in a list": (_text("modules.json", "[" * 100_000), "nested too deep"),
    "deep JSON in objects": (_text("tokenizer_config.json", '{"a":' * 100_000), "nested too deep"),
    "wide JSON": (_text("config.json", WIDE), "more than 5,000,000 values"),
    "a wide header": (_header(WIDE), "its header is broken"),
    "a deep header": (_header(b"[" * 100_000), "its header is broken"),
    "a header of 2^60 bytes": (_header(b"{}", 2**60), "its header would have 1152921504606846976 bytes"),
    "a header longer than the file": (_header(b"{}", 90_000_000), "cut short"),
    "a shape of long numbers": (_tensor(shape=["LARGE"] * 50), "its header is broken"),
    "a shape of many numbers": (_tensor(shape=[2**62] * 5000), "its header is broken"),
    "an end of many digits": (_tensor(data_offsets=[0, "LARGE"]), "its header is broken"),
    "a number of many digits": (_config(max_position_embeddings=int(LARGE)), "a number of 4001 digits"),
    "no text": (_text("config.json", b"\xff\xfe\x00\xd8"), "not valid JSON"),
    "code of its own": (
        _config(model_type="mine", auto_map={"AutoConfig": "a.B"}),
        "code of the model's own",
    ),
    "pickled weights": (
        lambda folder: (folder / "model.safetensors").rename(folder / "pytorch_model.bin"),
        "its weights are pickled",
    ),
}

# What is odd and does no harm: the folder is a model.
TAKEN: dict[str, Damage] = {
    "terabytes that nobody reads": _sparse("junk.dat", 2**42),
    "values of other kinds": _config(
        text_config=[], id2label=[1], num_hidden_layers="a", hidden_size={}, pad_token_id="x", auto_map=[]
    ),
    "no numbers": _text(
        "config.json",
        '{"architectures": ["A"], "model_type": "qwen3", "max_position_embeddings": 1e999, '
        '"num_hidden_layers": NaN, "num_key_value_heads": -1, "head_dim": 0, "num_attention_heads": 0}',
    ),
    "words that colour the terminal": _config(architectures=["\x1b]0;x\x07\x1b[2J"], model_type="\x1b[31m"),
    "half a character": _config(architectures=["\ud800"]),
    "a pooling elsewhere": _text("modules.json", '[{"type": "x.Pooling", "path": "../../etc"}]'),
    "a pooling nowhere": _text("modules.json", '[{"type": "x.Pooling", "path": "\\u0000"}]'),
    "code that vLLM needs not": _config(auto_map={"AutoConfig": "a.B"}),
    "pickles beside the weights": _text("training_args.bin", b"\x80\x04."),
}
