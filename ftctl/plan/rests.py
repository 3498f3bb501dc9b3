"""What a problem that is found late rests on: it is not told where any of that is in doubt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ftctl.errors import Problem
from ftctl.job.doubt import Draft

_DEVICES = ("resources.gpus", "resources.processes")
_BATCH = ("train.batch_size", "train.micro_batch_size", *_DEVICES)
_LENGTH = ("train.native.rope_scaling", "train.packing", "model.path", "train.task")
# Deploying is planned as a whole, and its problems stand at the block.
_SERVING = (
    *(f"deploy.{key}" for key in ("engine", "gpus", "max_length", "kv_cache_memory", "adapter", "native")),
    *(f"deploy.{key}_parallel" for key in ("tensor", "pipeline", "data")),
    *(f"deploy.{key}" for key in ("adapters", "dtype", "kv_cache_dtype", "quantization", "speculative")),
    *_DEVICES, "model.path", "train.method", "train.task",
)  # fmt: skip

# By the key of a problem: the keys whose values it follows from, besides that key itself.
RESTS: Mapping[str, tuple[str, ...]] = {
    "model": ("model.path", "model.hub", "model.revision", "model.trust_remote_code", "train.task"),
    "model.revision": ("model.path", "model.hub"),
    "model.template": ("model.path", "train.task", "train.engine"),
    "data.overlap": ("data.train", "data.eval", "data.test", "evaluate.data", "train.task", "train.engine"),
    "data.eval": ("data.train", "data.mix", "train.packing", "train.task"),
    "resources.processes": _DEVICES,
    "train.batch_size": _BATCH,
    "train.micro_batch_size": _BATCH,
    "train.precision": _DEVICES,
    "train.early_stopping": ("data.eval", "train.task", "train.engine"),
    "train.checkpoints.keep_best": ("data.eval", "train.task", "train.engine", "train.eval_every"),
    "train.checkpoints": ("model.path", "train.method", "train.task", "train.epochs", "train.max_steps"),
    "train.max_length": _LENGTH,
    "train.query_max_length": _LENGTH,
    "train.passage_max_length": _LENGTH,
    "train.lora.targets": ("train.method", "model.path"),
    "train.native.lora_target": ("train.method", "train.lora.targets", "model.path"),
    "deploy": _SERVING,
    "deploy.tls": ("deploy.host",),
}
_ROWS = ("train.task", "train.engine")  # they say what a row must hold


def told(draft: Draft, found: Iterable[Problem], before: Iterable[Problem] = ()) -> tuple[Problem, ...]:
    """What was found late and rests on nothing wrong, where nothing was said of the same place `before`."""
    places = {(problem.file, problem.line, problem.column) for problem in (*draft.problems, *before)}
    kept = (problem for problem in found if (problem.file, problem.line, problem.column) not in places)
    return tuple(problem for problem in kept if problem.rule or _certain(draft, problem))


def _certain(draft: Draft, problem: Problem) -> bool:
    doubt = draft.doubt
    if not problem.key:  # a row of data
        return not doubt.within(*_ROWS)
    rests = RESTS.get(problem.key, _SERVING if problem.key.startswith("deploy.") else ())
    return not doubt.of(problem.key) and not doubt.within(*rests)
