"""Which engines have a schema, and which of their programs a job's `native:` block speaks to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ftctl.job.node import lookup


@dataclass(frozen=True)
class Described:
    """An engine with a schema: its kind (`training`, `serving`) and its title.

    `main` is the beginning of the names of those of its programs that a job runs. `engine` is what a job
    calls it, where that is not its name.
    """

    name: str
    title: str
    kind: str
    main: str = ""
    engine: str = ""

    @property
    def file(self) -> str:
        """Its schema's file, below the folder of its kind."""
        return f"{self.engine or self.name}.schema.json"


DUMMY = "dummy"
DESCRIBED: Mapping[str, Described] = {
    one.name: one
    for one in (
        Described("llamafactory", "LLaMA-Factory", "training", "train"),
        Described("flagembedding", "FlagEmbedding", "training"),
        Described("vllm", "vLLM", "serving", "serve"),
        Described("lmdeploy", "LMDeploy", "serving", "api_server"),
        # ftctl's own, which trains and serves; the two schemas are written by hand.
        Described(DUMMY, "ftctl's dummy trainer", "training", "train"),
        Described("dummy-server", "ftctl's dummy server", "serving", "serve", engine=DUMMY),
    )
}
_FLAGEMBEDDING = {"embedding": "embedder", "reranker": "reranker"}


def engine_of(document: Mapping[str, Any], block: str) -> tuple[str, str]:
    """The engine that `train` or `deploy` of a document speaks to, and its program's beginning.

    The engine may be one without a schema.
    """
    engine = lookup(document, (block, "engine"))
    if block == "deploy":
        name = "vllm" if engine in (None, "auto") else str(engine)
        by_dummy = engine in (None, "auto") and lookup(document, ("train", "engine")) == DUMMY
        if engine == DUMMY or by_dummy:
            name = "dummy-server"
        return name, DESCRIBED[name].main if name in DESCRIBED else ""
    task = str(lookup(document, ("train", "task")))
    name = str(engine) if engine not in (None, "auto") else "llamafactory"
    if name == "flagembedding" or (task in _FLAGEMBEDDING and engine in (None, "auto")):
        return "flagembedding", _entry(task, lookup(document, ("train", "variant")))
    return name, DESCRIBED[name].main if name in DESCRIBED else ""


def _entry(task: str, variant: Any) -> str:
    """The beginning of the names of FlagEmbedding's entry modules that may train: one where it is named."""
    kind = _FLAGEMBEDDING.get(task, "")
    if not kind or not isinstance(variant, str):
        return kind
    model, _, form = variant.rpartition("-")
    return f"{kind}.{model.replace('-', '_')}.{form}"
