"""The plan: a job with nothing left open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ftctl.errors import Problem
from ftctl.facts.model import Facts
from ftctl.job.model import Job


@dataclass(frozen=True)
class Choice:
    """One derived value: the job's key (dotted), the value, and why it is that."""

    key: str
    value: str
    reason: str


@dataclass(frozen=True)
class RetrievalPlan:
    """An embedder or a reranker, decided. Lengths are in tokens; a reranker reads query and passage at once.

    `temperature`, `pooling` and `normalize` are None for a reranker; the instructions stand in front of
    every query and every passage, None: nothing does.
    """

    variant: str  # FlagEmbedding's class of model, such as encoder-only-base
    method: str  # full | lora
    train_group_size: int
    query_max_length: int
    passage_max_length: int
    temperature: float | None
    pooling: str | None  # cls | mean | last_token
    normalize: bool | None
    query_instruction: str | None
    passage_instruction: str | None
    negatives_across_devices: bool
    distillation: bool

    @property
    def encoder(self) -> bool:
        """Whether the model is encoder-only."""
        return self.variant.startswith("encoder")


@dataclass(frozen=True)
class TrainPlan:
    """Training, decided. `devices` are GPU indices (empty: the CPU); lengths in tokens."""

    engine: str
    devices: tuple[int, ...]
    world_size: int
    micro_batch_size: int
    accumulation: int
    batch_size: int
    learning_rate: float
    precision: str  # bf16 | fp16 | fp32
    template: str | None  # None: the model's own chat template
    steps_per_epoch: int | None
    gradient_checkpointing: bool = False
    retrieval: RetrievalPlan | None = None  # of an embedder or a reranker


@dataclass(frozen=True)
class ServePlan:
    """Serving, decided: the engine, the API's model name, what is served and on which devices.

    `gpu_memory_share` is of the whole GPU; `kv_cache_memory` is in bytes; None leaves it to the engine.
    `chat_template` is a jinja file that is used in place of the model's own. `kind` is generate, embed or
    score; what follows it is an embedder's or a reranker's (see plan/serve_kind.py).
    """

    engine: str
    name: str
    adapter: str  # none | merge | attach
    devices: tuple[int, ...]
    tensor_parallel: int
    dtype: str
    max_length: int | None
    pipeline_parallel: int = 1
    data_parallel: int = 1
    gpu_memory_share: float | None = None
    kv_cache_memory: int | None = None
    eager: bool = False
    threads: int | None = None  # on the CPU; None: every core
    trust_remote_code: bool = False
    chat_template: str | None = None
    template_kwargs: Mapping[str, Any] = field(default_factory=dict)  # what a chat template gets unasked
    kind: str = "generate"
    pooling: str | None = None  # cls | mean | last_token
    normalize: bool | None = None
    head: str | None = None  # where a score comes from: label | yes
    yes: str = "Yes"  # the token whose logit is the score
    query_prompt: str | None = None
    query_suffix: str | None = None
    passage_prompt: str | None = None
    architecture: str | None = None  # of the model that is served; None: not known
    adapters: Mapping[str, str] | None = None  # further ones, folders by name; None: it takes none
    lora_rank: int | None = None  # the largest of theirs

    @property
    def takes_adapters(self) -> bool:
        """Whether the server attaches LoRA adapters to its model."""
        return self.adapter == "attach" or self.adapters is not None


@dataclass(frozen=True)
class Plan:
    """A job, the facts it was planned on, and every decision with its reason.

    `warnings` are what is odd and can still be run.
    """

    job: Job
    facts: Facts
    train: TrainPlan | None
    serve: ServePlan | None
    choices: tuple[Choice, ...]
    warnings: tuple[Problem, ...] = ()  # what is odd and is not refused
    silenced: tuple[Problem, ...] = ()  # what the engine's rules and advice would say, were they not silenced
    notes: tuple[Problem, ...] = ()  # advice: what guides would do otherwise

    @property
    def method(self) -> str | None:
        """How the weights are trained: full, freeze or lora; None where nothing is."""
        if self.train is not None and self.train.retrieval is not None:
            return self.train.retrieval.method
        return self.job.train.method if self.job.train is not None else None

    @property
    def merge(self) -> bool:
        """Whether an adapter is merged into its base: the rule, unless it is to be served attached."""
        return self.job.deploy is None or self.job.deploy.adapter == "merge"
