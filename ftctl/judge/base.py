"""The model that a training began with, laid out so that it is served exactly as the trained one is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from ftctl.artifacts.chat_template import JINJA, saved_template
from ftctl.artifacts.model import Artifact
from ftctl.artifacts.sentence_transformers import LENGTH, MODULES, PROMPTS, describe
from ftctl.artifacts.verify import verify_model
from ftctl.artifacts.weights import read_json
from ftctl.deployments.parity import REFERENCE
from ftctl.errors import FtctlError
from ftctl.facts.hub_cache import snapshot
from ftctl.plan.model import Plan, RetrievalPlan, ServePlan
from ftctl.record import to_record

# Weights of other frameworks and pickled ones are never served, and what the model is for is said anew.
OTHERS = frozenset({".bin", ".ckpt", ".gguf", ".h5", ".md", ".msgpack", ".onnx", ".ot", ".pt", ".pth"})
OWN = frozenset({MODULES, PROMPTS, LENGTH, REFERENCE})
DTYPES = frozenset({"float32", "float16", "bfloat16"})
EVALUATION, BY_QUERY = "evaluation.json", "evaluation_queries.json"


def base_folder(plan: Plan, environ: Mapping[str, str]) -> Path:
    """Where the base model lies: its folder, or the Hub's cache, which the training has filled.

    Raises UsageError where it is not there.
    """
    model = plan.job.model
    return Path(model.path) if model.local else snapshot(model.path, model.revision, environ)


def lay_out(source: Path, folder: Path, plan: RetrievalPlan | None, tuned: Artifact) -> Artifact:
    """The base model in `folder`: its weights linked, its other files copied, and described as the trained
    model is, with its dtype. A language model without a chat template of its own is asked by the trained
    one's.
    Raises FtctlError for a model that is not whole or cannot be described."""
    folder.mkdir(parents=True)
    for file in sorted(source.iterdir()):
        if not file.is_file() or file.suffix in OTHERS or file.name in OWN or file.name.startswith("."):
            continue
        if file.suffix == ".safetensors":
            (folder / file.name).symlink_to(file.resolve())
        else:
            shutil.copyfile(file, folder / file.name)
    if tuned.dtype in DTYPES:  # a server's auto follows from it
        config = read_json(folder / "config.json")
        kept = {name: value for name, value in config.items() if name != "torch_dtype"}
        (folder / "config.json").write_text(json.dumps({**kept, "dtype": tuned.dtype}, indent=2) + "\n")
    if plan is not None:
        describe(folder, plan)
    elif saved_template(folder) is None and isinstance(own := saved_template(tuned.path), str):
        (folder / JINJA).write_text(own, encoding="utf-8")
    return verify_model(folder)


def key_of(artifact: Artifact, serve: ServePlan, native: Mapping[str, Any], engine: str, test: str) -> str:
    """What the base model's figures follow from, as one hash: files, test, and how it is served."""
    served = {**to_record(serve), "name": "", "devices": len(serve.devices)}
    parts = [dict(artifact.hashes), served, dict(native), engine, test]
    return sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def measured_before(runs: Path, key: str, own: Path | None = None) -> tuple[Path, dict[str, Any]] | None:
    """The run whose figures of a base model are those that `key` stands for, and what it recorded.

    That is the run `own` where it has them, else the newest one under `runs` that measured them itself.
    """
    if own is not None and (record := _base_figures(own / EVALUATION, key)) is not None:
        return own, record
    for file in sorted(runs.glob(f"*/*/{EVALUATION}"), key=lambda path: path.parent.name, reverse=True):
        record = _base_figures(file, key)
        if record is not None and record["base"].get("reused_from") is None:
            return file.parent, record
    return None


def _base_figures(file: Path, key: str) -> dict[str, Any] | None:
    """What a run recorded of its measurements, where that holds the figures of `key`."""
    try:
        record: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return record if (record.get("base") or {}).get("key") == key else None
    except (OSError, ValueError, AttributeError):
        return None


def check_head(base: ServePlan, kind: str) -> None:
    """Raises FtctlError where the base model does another thing than the trained one."""
    if base.kind != kind:
        what = "has no head that scores" if kind == "score" else f"is served to {base.kind}, not to {kind}"
        raise FtctlError(f"it {what}")
