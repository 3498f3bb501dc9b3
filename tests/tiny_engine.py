"""A tiny engine that uv really installs: one package of our own, its lock, and no network.

Run as a program (`python -m tests.tiny_engine FOLDER`) it makes sure of that engine, as `ftctl` would.
"""

from __future__ import annotations

import hashlib
import io
import os
import sys
import tarfile
import zipfile
from pathlib import Path

from ftctl.engines.install import Order, ensure_engine
from ftctl.engines.table import Engine, Variant
from ftctl.errors import FtctlError

VARIANT = Variant("cpu", "tiny-engine", prune=("tiny_engine/unwanted.py",), alias="tiny")
ENGINE = Engine("tiny", "Tiny", "does nothing", "tiny_engine", (VARIANT,), f"3.{sys.version_info.minor}")
HEALTHY = "print('a word from the engine')\n"

# A build backend inside the package itself: it holds the build up for as long as the file GATE exists.
BACKEND = """
import os, time, zipfile
def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    gate = os.environ["GATE"]
    open(gate + ".reached", "w").close()
    while os.path.exists(gate):
        time.sleep(0.02)
    name = "tiny_engine-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(wheel_directory, name), "w") as wheel:
        for path, text in {files!r}.items():
            wheel.writestr(path, text)
    return name
"""


def wheel_files(module: str) -> dict[str, str]:
    """What is in the package: a module, a file that is to be pruned, and a command."""
    info = "tiny_engine-1.0.dist-info"
    return {
        "tiny_engine/__init__.py": f"{module}\ndef main():\n    print('tiny 1.0')\n",
        "tiny_engine/unwanted.py": "raise ImportError\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: tiny-engine\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\ntiny = tiny_engine:main\n",
        f"{info}/RECORD": "",
    }


def order(folder: Path) -> Order:
    """What the tests build, under `folder`."""
    return Order(ENGINE, "cpu", folder / "locks", folder / "engines")


def environment(folder: Path) -> dict[str, str]:
    """Offline, with a folder of wheels and a cache of its own."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", str(folder)),
        "PIP_FIND_LINKS": str(folder / "wheels"),
        "UV_CACHE_DIR": str(folder / "cache"),
        "UV_OFFLINE": "1",
        "GATE": str(folder / "gate"),
    }


def make_wheel(folder: Path, module: str = HEALTHY) -> Path:
    """The package as a wheel, and its lock."""
    path = folder / "wheels" / "tiny_engine-1.0-py3-none-any.whl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in wheel_files(module).items():
            wheel.writestr(name, text)
    write_lock(folder, path.read_bytes())
    return path


def make_source(folder: Path) -> Path:
    """The package as a source archive whose build waits at the gate, which is shut; and its lock."""
    path = folder / "wheels" / "tiny_engine-1.0.tar.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    files = {
        "PKG-INFO": "Metadata-Version: 2.2\nName: tiny-engine\nVersion: 1.0\n",
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
        "backend.py": BACKEND.replace("{files!r}", repr(wheel_files(HEALTHY))),
    }
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(f"tiny_engine-1.0/{name}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    (folder / "gate").touch()
    write_lock(folder, path.read_bytes())
    return path


def write_lock(folder: Path, content: bytes) -> None:
    """A lock of exactly this content."""
    locks = folder / "locks"
    locks.mkdir(exist_ok=True)
    digest = hashlib.sha256(content).hexdigest()
    (locks / "tiny-cpu.lock").write_text(f"tiny-engine==1.0 \\\n    --hash=sha256:{digest}\n")


def main(folder: Path) -> None:
    try:
        facts = ensure_engine(
            order(folder),
            install=True,
            report=lambda text: print(text, flush=True),
            environ=environment(folder),
        )
    except FtctlError as error:
        print(error)
        sys.exit(error.exit_code)
    print(facts.python)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
