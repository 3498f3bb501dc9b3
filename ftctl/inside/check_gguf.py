"""Hold a GGUF file against the model folder that it was made of, by the package `gguf` (seen with 0.19):

    PYTHON check_gguf.py FILE FOLDER

It prints one JSON object: `tensors` counts those of the file, `same` those that hold a tensor of the model
row for row, `other` names the rest (quantized, or changed within their rows); `missing` names the model's
tensors that no tensor of the file holds, where there are no others; `tokens` says whether the vocabulary is
the model's, `template` whether the chat template is (null: the folder has none), `eos` is the id that ends an
answer. Rows may change their order: llama.cpp wants those of queries and keys in another.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import numpy
import torch
from gguf import GGMLQuantizationType, GGUFReader
from safetensors import safe_open

TYPES = {
    GGMLQuantizationType.F32: torch.float32,
    GGMLQuantizationType.F16: torch.float16,
    GGMLQuantizationType.BF16: torch.bfloat16,
}
Rows = tuple[int, int]


def rows_of(data: numpy.ndarray[Any, Any], length: int) -> Rows:
    """What tells a matrix from another whatever the order of its rows: their count and the sum of their
    hashes. `length` is that of a row in bytes."""
    raw = numpy.ascontiguousarray(data).reshape(-1).view(numpy.uint8).reshape(-1, length)
    return len(raw), sum(hash(row.tobytes()) for row in raw)


class Model:
    """The tensors of a folder, each looked at once in every type that the file has."""

    def __init__(self, folder: Path) -> None:
        self.files = [safe_open(path, framework="pt") for path in sorted(folder.glob("*.safetensors"))]
        self.places = {name: file for file in self.files for name in file.keys()}  # noqa: SIM118 - no mapping
        self.counts = {name: prod(file.get_slice(name).get_shape()) for name, file in self.places.items()}
        self.known: dict[tuple[str, torch.dtype], Rows] = {}

    def rows(self, name: str, dtype: torch.dtype) -> Rows:
        """A tensor's rows as they are in this type."""
        if (name, dtype) not in self.known:
            tensor = self.places[name].get_tensor(name).to(dtype).contiguous()
            length = tensor.shape[-1] * tensor.element_size() if tensor.dim() else tensor.element_size()
            self.known[name, dtype] = rows_of(tensor.view(torch.uint8).numpy(), length)
        return self.known[name, dtype]


def held(reader: Any, model: Model) -> Iterator[tuple[str, str | None]]:
    """Each tensor of the file, and the name of the model's that it holds; None: of none."""
    for tensor in reader.tensors:
        dtype = TYPES.get(tensor.tensor_type)
        found = None
        if dtype is not None:
            length = int(tensor.shape[0]) * dtype.itemsize
            rows = rows_of(tensor.data, length)
            alike = (name for name, count in model.counts.items() if count == tensor.n_elements)
            found = next((name for name in alike if model.rows(name, dtype) == rows), None)
        yield tensor.name, found


def field(reader: Any, name: str) -> Any:
    """A value of the file's head; None where it has none of the name."""
    found = reader.fields.get(name)
    return None if found is None else found.contents()


def vocabulary(folder: Path) -> dict[int, str] | None:
    """The model's tokens by their ids; None where it has no tokenizer.json."""
    file = folder / "tokenizer.json"
    if not file.is_file():
        return None
    value = json.loads(file.read_text(encoding="utf-8"))
    known = value["model"]["vocab"]
    pairs = known.items() if isinstance(known, dict) else ((word, at) for at, (word, _) in enumerate(known))
    tokens = {number: word for word, number in pairs}
    return tokens | {one["id"]: one["content"] for one in value.get("added_tokens") or []}


def same_tokens(reader: Any, folder: Path) -> bool:
    """Whether every token of the model has its id in the file; only tokenizer.json is read."""
    known, written = vocabulary(folder), field(reader, "tokenizer.ggml.tokens") or []
    if known is None:
        return bool(written)
    return all(number < len(written) and written[number] == word for number, word in known.items())


def same_template(reader: Any, folder: Path) -> bool | None:
    """Whether the file has the folder's chat template; None where the folder has none."""
    own, config = folder / "chat_template.jinja", folder / "tokenizer_config.json"
    said = own.read_text(encoding="utf-8") if own.is_file() else None
    if said is None and config.is_file():
        said = json.loads(config.read_text(encoding="utf-8")).get("chat_template")
    return None if said is None else bool(field(reader, "tokenizer.chat_template") == said)


def check(path: str, folder: Path) -> dict[str, Any]:
    """All that is printed."""
    reader, model = GGUFReader(path), Model(folder)
    pairs = list(held(reader, model))
    found = Counter(name for _, name in pairs if name is not None)
    other = [name for name, source in pairs if source is None]
    missing = (
        [] if other else [name for name in model.places if name not in found and not twin(name, found, model)]
    )
    return {
        "tensors": len(pairs), "same": len(pairs) - len(other), "other": other, "missing": missing,
        "tokens": same_tokens(reader, folder), "template": same_template(reader, folder),
        "eos": field(reader, "tokenizer.ggml.eos_token_id"),
    }  # fmt: skip


def twin(name: str, found: Counter[str], model: Model) -> bool:
    """Whether a tensor that the file has is the same as this one, as a tied head is."""
    return any(
        model.counts[name] == model.counts[one]
        and model.rows(name, torch.float32) == model.rows(one, torch.float32)
        for one in found
    )


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: check_gguf.py FILE FOLDER")
    sys.stdout.write("\n" + json.dumps(check(sys.argv[1], Path(sys.argv[2]))) + "\n")
