"""Reads what a safetensors file says of itself, and holds it against the file's size.

The format: 8 bytes of length, little endian, then that much JSON, then the tensors
(https://github.com/huggingface/safetensors, "Format").
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from ftctl.artifacts.reading import parse
from ftctl.errors import FtctlError, shown_text

MAX_HEADER = 100_000_000  # bytes; the format's own bound
LFS = b"version "  # how the small file begins that a clone without Git LFS has in place of a large one
MAX_RANK = 64  # dimensions, torch's own bound
BOUND = 2**63  # what no size, place or width reaches
PULL = "run `git lfs pull` in the model's folder"


class BrokenWeights(FtctlError):
    """A file of a model that is not what it should be. The message may name what the file holds."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(shown_text(message), remedy)


@dataclass(frozen=True)
class Tensor:
    """One tensor: its dtype as written (F32, BF16, …), shape, and place after the header in bytes."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int

    @property
    def count(self) -> int:
        return prod(self.shape)


def read_header(path: Path) -> Mapping[str, Tensor]:
    """The tensors of a file, by name. Raises BrokenWeights where header and file do not agree."""
    if not path.is_file():
        raise BrokenWeights(f"{path}: no such file")
    size = path.stat().st_size
    with open(path, "rb") as file:
        head = file.read(8)
        if len(head) < 8:
            raise BrokenWeights(f"{path}: cut short, {size} bytes are no safetensors file")
        if head == LFS:
            raise BrokenWeights(f"{path}: a Git LFS pointer stands in place of the file", PULL)
        (length,) = struct.unpack("<Q", head)
        if length > MAX_HEADER:
            raise BrokenWeights(f"{path}: not a safetensors file, its header would have {length} bytes")
        if 8 + length > size:
            raise BrokenWeights(f"{path}: cut short, the header alone needs {8 + length} bytes of {size}")
        tensors = _tensors(path, file.read(length))
    expected = 8 + length + max((tensor.end for tensor in tensors.values()), default=0)
    if size != expected:
        what = "cut short" if size < expected else "too long"
        raise BrokenWeights(f"{path}: {what}, it has {size} bytes and its header describes {expected}")
    return tensors


def _tensors(path: Path, header: bytes) -> dict[str, Tensor]:
    try:
        entries = parse(header)
        return {name: _tensor(entry) for name, entry in entries.items() if name != "__metadata__"}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BrokenWeights(f"{path}: its header is broken") from None


def _tensor(entry: Mapping[str, Any]) -> Tensor:
    """One entry of the header. Raises ValueError, KeyError or TypeError for one that is not."""
    start, end = entry["data_offsets"]
    shape = entry["shape"]
    numbers = (start, end, *shape)
    sized = all(isinstance(number, int) and 0 <= number < BOUND for number in numbers)
    if not sized or end < start or len(shape) > MAX_RANK:
        raise ValueError
    return Tensor(str(entry["dtype"]), tuple(shape), start, end)
