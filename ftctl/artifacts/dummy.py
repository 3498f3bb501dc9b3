"""What the dummy trainer has written is served by the dummy server, and by it alone."""

from __future__ import annotations

from pathlib import Path

from ftctl.artifacts.model import Artifact
from ftctl.artifacts.safetensors import BrokenWeights
from ftctl.artifacts.weights import read_json
from ftctl.errors import UsageError

MARK = "ftctl_dummy"
DUMMY = "dummy"


def is_dummy(folder: Path) -> bool:
    """Whether a folder's configuration says that a dummy wrote its model or adapter."""
    for name in ("adapter_config.json", "config.json"):
        if (folder / name).is_file():
            try:
                config = read_json(folder / name)
            except BrokenWeights:
                return False
            return MARK in (config.get("model_type"), *(key for key in config if key == MARK))
    return False


def check_server(artifact: Artifact, engine: str) -> None:
    """Raises UsageError where a dummy's artifact is to be served by a real engine, or the other way round."""
    made = artifact.kind != "hub" and is_dummy(artifact.path)
    if made and engine != DUMMY:
        raise UsageError(
            f"{artifact.path} is a dummy's artifact, which no real engine can serve",
            "train with a real engine, or set deploy.engine: dummy",
        )
    if engine == DUMMY and not made:
        raise UsageError(
            f"{artifact.path} is no artifact of the dummy, and the dummy serves nothing else",
            "set deploy.engine: auto, or train it with train.engine: dummy",
        )
