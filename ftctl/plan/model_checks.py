"""What a job asks of its model and the model's own files say cannot be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from ftctl.errors import Problem
from ftctl.facts.model import DatasetFacts, ModelFacts
from ftctl.job.model import Deploy, Job, problem_at
from ftctl.job.training import RETRIEVAL, Train
from ftctl.trainers.model_types import OTHERS, TRAINABLE

SHOWN = 12  # names that a message lists


def check_model(job: Job, model: ModelFacts) -> list[Problem]:
    """Everything wrong with training this model as the job says. Of a Hub id nothing is known."""
    if not model.local or model.architecture is None:
        return []
    if job.train is None:
        own = [] if job.deploy is None else served_code(model, job.deploy, trust=job.model.trust_remote_code)
        return [problem_at(job, "model", what, remedy) for what, remedy in own]
    if model.dummy:
        return _dummy(job)
    if job.train.task in RETRIEVAL:
        found = [*_own_code(job, model), *_targets(job, job.train, model)]
    else:
        found = [*_type(job, model), *_context(job, job.train, model), *_targets(job, job.train, model)]
    return [problem_at(job, key, message, remedy) for key, message, remedy in found]


def _dummy(job: Job) -> list[Problem]:
    """An artifact of the dummy's can be trained on by the dummy alone."""
    if job.train is not None and job.train.engine == "dummy":
        return []
    what = "is an artifact of ftctl's dummy, which no real engine can load"
    return [problem_at(job, "model", what, "name a real model, or set train.engine: dummy")]


def _type(job: Job, model: ModelFacts) -> Iterator[tuple[str, str, str]]:
    known = model.model_type
    asked = list(_own_code(job, model)) if known not in TRAINABLE else []
    if asked:
        yield from asked
    elif known is None:
        what = "its config.json has no model_type, so the engine cannot tell what it is"
        yield "model", what, "copy or download the model again"
    elif known in OTHERS and not model.own_code:
        yield (
            "model",
            f"{known} ({model.architecture}) is no language model that can be trained",
            "use another",
        )
    elif known not in TRAINABLE and not model.own_code:
        from difflib import get_close_matches  # 3 ms, for a mistake only

        near = get_close_matches(known, sorted(TRAINABLE), n=2, cutoff=0.7)
        hint = f"; it knows {' and '.join(near)}" if near else ""
        what = f"the model type {known} is not known to LLaMA-Factory 0.9.5 (transformers 5.6.0)"
        yield "model", what, f"use another model, or another engine_python with a newer transformers{hint}"


def served_code(model: ModelFacts, deploy: Deploy, *, trust: bool) -> list[tuple[str, str]]:
    """What keeps a model from being served as it is, and the way out: code of its own, not allowed."""
    allowed = trust or any(deploy.native.get(name) for name in ("trust_remote_code", "trust-remote-code"))
    if not model.own_code or allowed:
        return []
    from ftctl.servers.vllm_model_types import needs_own_code  # 7 ms with its package, for such a model only

    if not needs_own_code(model.model_type):
        return []
    what = f"{model.architecture} is code of the model's own, which runs only where the job allows it"
    return [
        (
            what,
            "read that code, then set model.trust_remote_code: true, or --set native.trust_remote_code=true",
        )
    ]


def _own_code(job: Job, model: ModelFacts) -> Iterator[tuple[str, str, str]]:
    """Code of the model's own; an engine that knows the model type runs without it."""
    if model.own_code and not job.model.trust_remote_code:
        what = f"{model.architecture} is code of the model's own, which runs only where the job allows it"
        yield "model", what, "read that code, then set model.trust_remote_code: true"


def _context(job: Job, train: Train, model: ModelFacts) -> Iterator[tuple[str, str, str]]:
    """Positions that the model was never trained on; RoPE scaling makes more of them."""
    limit = model.max_positions
    if "train.max_length" not in job.written or limit is None or "rope_scaling" in train.native:
        return
    if train.max_length > limit:
        what = f"is {train.max_length}, and the model reads {limit} tokens at most (max_position_embeddings)"
        yield "train.max_length", what, f"write {limit} or less, or scale: native: {{rope_scaling: yarn}}"


def _targets(job: Job, train: Train, model: ModelFacts) -> Iterator[tuple[str, str, str]]:
    if train.method != "lora" or not model.modules:
        return
    native = train.native.get("lora_target") or train.native.get("target_modules")
    named = [("train.lora.targets", target) for target in train.lora.targets]
    if isinstance(native, str):
        named += [("train.native.lora_target", part.strip()) for part in native.split(",") if part.strip()]
    for key, target in named:
        if target != "all" and not has_module(model.modules, target):
            yield key, f'the model has no module "{target}"', f"it has {_listed(model.modules)}"


def has_module(modules: tuple[str, ...], target: str) -> bool:
    """Whether a target names modules, whole or by the end of their names as peft 0.18 matches them."""
    wanted = re.sub(r"(^|\.)\d+(?=\.|$)", r"\1*", target)
    return any(module == wanted or module.endswith(f".{wanted}") for module in modules)


def _listed(modules: tuple[str, ...]) -> str:
    """The last parts of the names, the model's own order lost."""
    names = sorted({module.rpartition(".")[2] for module in modules} - {"*", "embed_tokens", "lm_head"})
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def beyond_context(job: Job, model: ModelFacts, data: tuple[DatasetFacts, ...]) -> list[Problem]:
    """A warning where `max_length` was left to its default, the model reads less, and rows may be longer."""
    train, limit = job.train, model.max_positions
    if train is None or train.task in RETRIEVAL:
        return []
    if limit is None or "train.max_length" in job.written or train.max_length <= limit:
        return []
    if "rope_scaling" in train.native or not any(facts.longest > limit for facts in data):
        return []
    what = f"is {train.max_length} by default, and the model reads {limit} tokens at most"
    problem = problem_at(job, "train.max_length", what, f"write max_length: {limit}")
    return [replace(problem, kind="model", level="warning")]
