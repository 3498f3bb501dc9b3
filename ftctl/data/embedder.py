"""Which embedder mines: a model folder, a run of ftctl, or a Hub id, and the interpreter that runs it."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ftctl.data.mine import Embedder
from ftctl.errors import UsageError

MODULES = "modules.json"


def embedder_of(text: str, *, pooling: str | None, python: Path) -> Embedder:
    """The model that `text` names. Raises UsageError where it is a folder that does not say how vectors are
    pooled: sentence-transformers would take the mean of a model that was trained otherwise, in silence."""
    folder = _folder(text)
    if folder is None:
        return Embedder(text, local=False, python=python)
    if not (folder / "config.json").is_file():
        raise UsageError(f"{folder}: no model is in it", "name a folder with config.json and weights")
    if pooling is None and not (folder / MODULES).is_file():
        what = f"{folder}: it has no {MODULES}, which says how vectors are pooled"
        raise UsageError(what, "say it with --pooling cls, mean or last_token")
    return Embedder(str(folder), local=True, python=python)


def _folder(text: str) -> Path | None:
    """The folder that is meant: a run's result, or the folder itself; None for a Hub id."""
    from ftctl.run.find import lookup

    path = Path(text)
    run = lookup(text)
    if run is not None:
        return _result(run)
    if path.is_dir():
        return path.absolute()
    if path.is_absolute() or text.startswith((".", "~")) or text.count("/") > 1:
        raise UsageError(f"{text}: there is no such folder", "correct --model")
    return None


def _result(run: Path) -> Path:
    try:
        artifact = json.loads((run / "artifact.json").read_bytes())
        return run / str(artifact["path"])
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(
            f"the run {run.name} has no verified result", "ftctl runs shows how it ended"
        ) from None


def python_of_environment(*, install: bool) -> Path:
    """The interpreter of the FlagEmbedding environment, which holds sentence-transformers."""
    from ftctl.engines.install import ensure
    from ftctl.engines.locate import locate
    from ftctl.facts.machine import machine_facts
    from ftctl.looked_up import variant
    from ftctl.view.output import say

    machine = machine_facts(Path.cwd(), os.environ)
    engine = locate("flagembedding", variant(None, machine), python=None, environ=os.environ)
    if not engine.installed:
        engine = ensure(engine.name, engine.variant, install=install, report=say)
    return engine.python
