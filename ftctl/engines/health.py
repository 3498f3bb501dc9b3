"""Health: whether an engine really imports in its environment, and what it says of itself."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import TimeoutExpired

from ftctl import process
from ftctl.engines.uv import UNSET
from ftctl.errors import FtctlError

TIMEOUT = 300.0  # seconds; a cold import on a busy machine takes up to a minute
PROBE = """\
import importlib, importlib.metadata as metadata, json, platform, sys
modules, *asked = sys.argv[1:]
for module in modules.split(","):
    importlib.import_module(module)
torch = sys.modules.get("torch")
installed = {name.lower() for found in metadata.distributions() if (name := found.metadata["Name"])}
version = next(metadata.version(name) for name in asked if name.lower() in installed)
answer = {"version": version, "python": platform.python_version()}
print("\\n" + json.dumps({**answer, "torch": torch and str(torch.__version__)}))
"""


@dataclass(frozen=True)
class Health:
    """What an engine answered. `torch` is None where importing the engine does not import torch."""

    version: str
    python: str
    torch: str | None = None


def check(
    python: Path, *, modules: Sequence[str], asked: Sequence[str], environ: Mapping[str, str]
) -> Health:
    """Import `modules` and ask the version of the first of the distributions `asked` that is there.

    Raises FtctlError with the last lines of what went wrong.
    """
    env = {name: value for name, value in environ.items() if name not in UNSET}
    # A hub that cannot be reached must not hold up an import, and a look must leave nothing behind.
    env |= {"HF_HUB_OFFLINE": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    argv = [str(python), "-c", PROBE, ",".join(modules), *asked]
    what = f"import {', '.join(modules)}"
    try:
        done = process.run(argv, env=env, cwd=Path(os.sep), timeout=TIMEOUT)
    except TimeoutExpired as error:
        raise FtctlError(f"`{what}` did not end within {TIMEOUT:.0f} s") from error
    answer = _answer(done.out) if done.code == 0 else None
    if answer is None:
        lines = [line for line in (done.err or done.out).splitlines() if line.strip()][-4:]
        said = "\n".join(f"    {line}" for line in lines)
        raise FtctlError(f"`{what}` failed in {python}:\n{said}", "build it anew, or report it")
    return Health(str(answer["version"]), str(answer["python"]), answer["torch"])


def _answer(out: str) -> dict[str, str | None] | None:
    """The probe's answer: the last line, whatever the engine printed before it."""
    try:
        value = json.loads(out.strip().rsplit("\n", 1)[-1])
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
