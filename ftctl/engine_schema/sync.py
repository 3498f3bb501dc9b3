"""Reading an engine's arguments: its own interpreter runs a small program that prints them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any

from ftctl import process
from ftctl.engine_schema.build import built
from ftctl.engine_schema.table import DESCRIBED
from ftctl.errors import FtctlError
from ftctl.facts.model import EngineFacts
from ftctl.paths import PACKAGE

TIMEOUT = 300.0  # seconds; the imports take up to a minute on a busy machine
KEPT = ("PATH", "LANG", "LD_LIBRARY_PATH")


def read_schema(engine: EngineFacts, variant: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """The schema of an installed engine as it is now. Raises FtctlError where the engine does not answer."""
    said = _ask(engine.python, PACKAGE / "inside" / f"read_{engine.name}_arguments.py", environ)
    return built(DESCRIBED[engine.name], variant, said)


def _ask(python: Path, program: Path, environ: Mapping[str, str]) -> dict[str, Any]:
    """The JSON object that is the last line of what `program` prints.

    The environment is nearly empty: a default that reads HF_TOKEN or HOME must not come out with the
    user's own, and GPUs must make no difference.
    """
    env = {name: environ[name] for name in KEPT if name in environ}
    env |= {"HOME": "/nonexistent", "CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1"}
    env |= {"PYTHONDONTWRITEBYTECODE": "1", "VLLM_NO_USAGE_STATS": "1"}
    try:
        done = process.run([str(python), str(program)], env=env, cwd=Path("/"), timeout=TIMEOUT)
    except TimeoutExpired as error:
        raise FtctlError(f"{program.name} did not end within {TIMEOUT:.0f} s") from error
    lines = done.out.strip().splitlines()
    try:
        answer = json.loads(lines[-1]) if done.code == 0 and lines else None
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        words = "\n".join(f"    {line}" for line in done.err.strip().splitlines()[-4:])
        remedy = "`ftctl engines doctor` says whether the engine is healthy"
        raise FtctlError(f"{python} could not say its arguments:\n{words}", remedy)
    return answer
