"""Lays whole weights out in other files: the bytes of each tensor are streamed, none is held or changed.

The result is as transformers writes it: files of at most the given size, a tensor that is larger in one
of its own, and an index (seen with transformers 5.6).
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from ftctl.artifacts.safetensors import BrokenWeights, Tensor
from ftctl.artifacts.weights import INDEX, SINGLE
from ftctl.export.contents import BLOCK, Tell, check

ALIGN = 8  # bytes; the format wants the tensors to begin at a multiple


@dataclass(frozen=True)
class Shard:
    """One file to write: its name, and its tensors in the order in which they are read."""

    name: str
    tensors: tuple[tuple[str, Tensor], ...]

    @property
    def size(self) -> int:
        return sum(tensor.end - tensor.start for _, tensor in self.tensors)


def laid_out(files: Sequence[Mapping[str, Tensor]], limit: int) -> list[Shard]:
    """The files to write for weights that lie in `files`; `limit` is in bytes of tensors.

    The tensors keep the order in which they lie, so that everything is read and written from front to back.
    """
    groups: list[list[tuple[str, Tensor]]] = [[]]
    size = 0
    for name, tensor in _in_order(files):
        length = tensor.end - tensor.start
        if groups[-1] and size + length > limit:
            groups.append([])
            size = 0
        groups[-1].append((name, tensor))
        size += length
    if len(groups) == 1:
        return [Shard(SINGLE, tuple(groups[0]))]
    count = len(groups)
    names = (f"model-{number:05}-of-{count:05}.safetensors" for number in range(1, count + 1))
    return [Shard(name, tuple(group)) for name, group in zip(names, groups, strict=True)]


def _in_order(files: Sequence[Mapping[str, Tensor]]) -> Iterator[tuple[str, Tensor]]:
    for tensors in files:
        yield from sorted(tensors.items(), key=lambda item: item[1].start)


def index(shards: Sequence[Shard]) -> str:
    """The index of several files: transformers' `model.safetensors.index.json`."""
    weight_map = {name: shard.name for shard in shards for name, _ in shard.tensors}
    total = {"total_size": sum(shard.size for shard in shards)}
    return json.dumps({"metadata": total, "weight_map": dict(sorted(weight_map.items()))}, indent=2) + "\n"


def header(shard: Shard) -> bytes:
    """The head of a file: its length and the places of its tensors."""
    entries: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, tensor in shard.tensors:
        end = at + tensor.end - tensor.start
        entries[name] = {"dtype": tensor.dtype, "shape": list(tensor.shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % ALIGN)
    return struct.pack("<Q", len(text)) + text


def write(
    weights: Mapping[Path, Mapping[str, Tensor]],
    hashes: Mapping[str, str],
    target: Path,
    limit: int,
    tell: Tell,
) -> dict[str, str]:
    """Write the weights into the folder `target` again, in files of at most `limit` bytes; sha256 by name.

    Every source is hashed as it is read. Raises FtctlError where it is not the one that was verified.
    """
    sources = sorted(weights)
    shards = laid_out([weights[source] for source in sources], limit)
    with _Reading(weights, hashes, tell) as reading:
        written = {shard.name: _write_shard(target / shard.name, shard, reading) for shard in shards}
    if len(shards) > 1:
        (target / INDEX).write_text(index(shards), encoding="utf-8")
        written[INDEX] = hashlib.sha256((target / INDEX).read_bytes()).hexdigest()
    return written


def _write_shard(path: Path, shard: Shard, reading: _Reading) -> str:
    digest = hashlib.sha256()
    with open(path, "wb") as file:
        for block in _blocks(shard, reading):
            digest.update(block)
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def _blocks(shard: Shard, reading: _Reading) -> Iterator[bytes]:
    yield header(shard)
    for name, tensor in shard.tensors:
        yield from reading.tensor(name, tensor)


class _Reading:
    """The sources from the first byte to the last, hashed on the way; a context that closes them."""

    def __init__(
        self,
        weights: Mapping[Path, Mapping[str, Tensor]],
        hashes: Mapping[str, str],
        tell: Tell,
    ) -> None:
        self._rest = [(path, len(weights[path])) for path in sorted(weights)]
        self._hashes = hashes
        self._tell = tell
        self._file: BinaryIO | None = None
        self._left = 0

    def __enter__(self) -> _Reading:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
        if kind is None:
            self._end()

    def tensor(self, name: str, tensor: Tensor) -> Iterator[bytes]:
        """The bytes of the next tensor in order."""
        while not self._left:
            self._next()
        if self._data + tensor.start != self._at:
            raise BrokenWeights(f"{self._path}: {name} does not follow the tensor before it")
        yield from self._take(tensor.end - tensor.start)
        self._left -= 1

    def _next(self) -> None:
        """Go on to the next source, past its head."""
        self._end()
        self._path, self._left = self._rest.pop(0)
        self._file, self._at = open(self._path, "rb"), 0  # noqa: SIM115 - closed at the end of the context
        self._digest = hashlib.sha256()
        (length,) = struct.unpack("<Q", b"".join(self._take(8)))
        for _ in self._take(length):
            pass
        self._data = self._at

    def _take(self, count: int) -> Iterator[bytes]:
        assert self._file is not None
        while count:
            block = self._file.read(min(BLOCK, count))
            if not block:
                raise BrokenWeights(f"{self._path}: cut short while it was read")
            count -= len(block)
            self._at += len(block)
            self._digest.update(block)
            self._tell(self._path, len(block))
            yield block

    def _end(self) -> None:
        """What was read to its end must have been what was verified."""
        if self._file is not None:
            self._file.close()
            self._file = None
            check(self._path, self._digest.hexdigest(), self._hashes.get(self._path.name))
