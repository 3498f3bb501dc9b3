"""Which files of a result are part of the model, and copying them: each is held against its hash."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from ftctl.artifacts.sentence_transformers import MODULES
from ftctl.errors import FtctlError

Tell = Callable[[Path, int], None]  # told: the file that is read, and the bytes read since it was last told
BLOCK = 8 * 1024 * 1024  # bytes that are held at once

# What a training leaves beside its result, the card that the export writes anew, and LLaMA-Factory's own
# Modelfile, whose template nobody has checked.
LEFT_OVER = frozenset({
    "README.md", "Modelfile", "trainer_state.json", "trainer_log.jsonl", "all_results.json",
    "train_results.json", "eval_results.json", "training_args.yaml", "running_log.txt",
})  # fmt: skip
PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
BESIDE_M3 = frozenset({"colbert_linear.pt", "sparse_linear.pt"})  # FlagEmbedding has them in no other form
PICTURES = (".png", ".svg")


def is_part(name: str) -> bool:
    """Whether a file of a result belongs to the model, by its name."""
    if name in LEFT_OVER or name.startswith("."):
        return False
    return name in BESIDE_M3 or not name.endswith((*PICKLED, *PICTURES))


def parts(folder: Path, hashes: Mapping[str, str]) -> dict[str, str | None]:
    """The files of a model, below its folder, each with the sha256 that it must have.

    Those that sentence-transformers' modules.json names lie in folders of their own, of which none was kept.
    """
    found: dict[str, str | None] = {name: value for name, value in hashes.items() if is_part(name)}
    for module in _modules(folder):
        inside = sorted((folder / module).iterdir()) if (folder / module).is_dir() else []
        found |= {f"{module}/{file.name}": None for file in inside if file.is_file() and is_part(file.name)}
    return found


def _modules(folder: Path) -> list[str]:
    file = folder / MODULES
    if not file.is_file():
        return []
    paths = [str(module.get("path") or "") for module in json.loads(file.read_text(encoding="utf-8"))]
    return [path for path in paths if path and Path(path).name == path and path != ".."]


def size_of_parts(folder: Path, names: Mapping[str, str | None]) -> int:
    """Bytes of these files. Raises FtctlError where one is gone."""
    try:
        return sum((folder / name).stat().st_size for name in names)
    except FileNotFoundError as error:
        raise changed(Path(str(error.filename)), "is gone") from None


def copy(source: Path, target: Path, expected: str | None, tell: Tell) -> str:
    """Copy a file and give its sha256.

    Raises FtctlError where it is not the one that was verified.
    """
    digest = hashlib.sha256()
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(source, "rb") as reading, open(target, "wb") as writing:
        while block := reading.read(BLOCK):
            digest.update(block)
            writing.write(block)
            tell(source, len(block))
        writing.flush()
        os.fsync(writing.fileno())
    check(source, digest.hexdigest(), expected)
    return digest.hexdigest()


def put(folder: Path, name: str, content: str) -> dict[str, str]:
    """Write a text file; its sha256 by its name."""
    data = content.encode()
    (folder / name).write_bytes(data)
    return {name: hashlib.sha256(data).hexdigest()}


def check(source: Path, found: str, expected: str | None) -> None:
    """Raises FtctlError where a file's sha256 is not the expected one."""
    if expected is not None and found != expected:
        raise changed(source, "is not as it was verified")


def changed(file: Path, what: str) -> FtctlError:
    """The error of a file that is not what the run recorded."""
    return FtctlError(f"{file} {what}", "train again, or put the file back: nothing else is exported")
