"""The plan: a job with nothing left open."""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(frozen=True)
class ServePlan:
    """Serving, decided: the engine, the API's model name, what is served and on which devices.

    `gpu_memory_share` is of the whole GPU; `kv_cache_memory` is in bytes; None leaves it to the engine.
    `chat_template` is a jinja file that is used in place of the model's own.
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


@dataclass(frozen=True)
class Plan:
    """A job, the facts it was planned on, and every decision with its reason."""

    job: Job
    facts: Facts
    train: TrainPlan | None
    serve: ServePlan | None
    choices: tuple[Choice, ...]
    warnings: tuple[Problem, ...] = ()  # what the engine's rules say without refusing the job
    silenced: tuple[Problem, ...] = ()  # what they would say of rules that the job silences

    @property
    def merge(self) -> bool:
        """Whether an adapter is merged into its base: the rule, unless it is to be served attached."""
        return self.job.deploy is None or self.job.deploy.adapter == "merge"
