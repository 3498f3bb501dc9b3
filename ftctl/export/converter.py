"""The converter to GGUF and the reader that checks it: hash-checked wheels, each in a folder of its own.

What they import beside themselves (numpy, torch, transformers) is the training engine's, which runs them.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from ftctl.engines.uv import run_uv, uv_environment
from ftctl.paths import bundled, data_dir

CONVERTER, READER = "gguf", "gguf-reader"


def lock_of(name: str) -> Path:
    """The lock of one of them."""
    return bundled("configs") / "converters" / f"{name}.lock"


def installed(name: str, python: Path) -> Path:
    """The folder of a converter's packages, made where it is not there. Raises FtctlError where uv cannot."""
    lock = lock_of(name).read_bytes()
    place = data_dir() / "converters" / f"{name}-{hashlib.sha256(lock).hexdigest()[:8]}"
    if place.is_dir():
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=f".{place.name}-") as work:
        _install(Path(work), lock_of(name), python)
        try:
            (Path(work) / "packages").rename(place)
        except OSError:  # another process was first
            if not place.is_dir():
                raise
    return place


def _install(work: Path, lock: Path, python: Path) -> None:
    target = work / "packages"
    options = [
        "--no-deps",
        "--require-hashes",
        "--no-config",
        "--python",
        str(python),
        "--target",
        str(target),
    ]
    run_uv(
        ["pip", "install", *options, "-r", str(lock)],
        env=uv_environment(os.environ),
        folder=work,
        started=lambda leader: None,
        tick=lambda line: None,
    )
    # Its tools' own names (bin/) are nobody's, and a bare `bin` would stand on a path.
    shutil.rmtree(target / "bin", ignore_errors=True)
