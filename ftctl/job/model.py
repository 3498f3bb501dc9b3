"""The job: what one job file asks for, normalised. Every value here has passed the schema.

Paths of local files are absolute (they were written relative to the job file's folder); a model that
is not a local directory stays a Hub id. None means "not set": the plan derives it and says why.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

from ftctl.errors import Problem


@dataclass(frozen=True)
class Model:
    """The base model. `path` is a Hub id, or an absolute path where `local` is true."""

    path: str
    local: bool
    revision: str | None = None
    hub: str = "huggingface"  # huggingface | modelscope
    template: str | None = None
    trust_remote_code: bool = False


@dataclass(frozen=True)
class Dataset:
    """One file of rows. `format` is auto, alpaca, sharegpt, openai, retrieval, triplet or pair; `columns` and
    `tags` map the format's names to the file's own, as in LLaMA-Factory's dataset_info.json. From the label
    `threshold` on, the passage of a pair is a positive; None: labels are 0 and 1."""

    path: Path
    format: str = "auto"
    columns: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    max_samples: int | None = None
    weight: float | None = None
    threshold: float | None = None


@dataclass(frozen=True)
class Data:
    """`eval_share` is a share of train (0 to 1) or a count of rows (1 and more), in place of `eval`; so is
    `test_share` of `test`. What they hold out is neither in the other nor in what is trained on."""

    train: tuple[Dataset, ...]
    eval: tuple[Dataset, ...] = ()
    eval_share: float | int | None = None
    test: tuple[Dataset, ...] = ()
    test_share: float | int | None = None
    overlap: str = "fail"  # fail | warn | allow: what becomes of rows to evaluate on that are trained on
    mix: str = "concat"  # concat | interleave_under | interleave_over
    workers: int | None = None


@dataclass(frozen=True)
class Lora:
    """Low-rank adapters (Hu et al. 2021, arXiv:2106.09685). `targets` empty means every linear layer."""

    rank: int = 8
    alpha: int | None = None  # None: twice the rank
    dropout: float = 0.0
    targets: tuple[str, ...] = ()
    rslora: bool = False
    dora: bool = False


@dataclass(frozen=True)
class Freeze:
    """Freeze tuning: train only the last (positive) or first (negative) `layers` blocks."""

    layers: int = 2
    modules: tuple[str, ...] = ()  # empty: all of them
    extra: tuple[str, ...] = ()


@dataclass(frozen=True)
class Quantization:
    """Weights held in fewer bits while an adapter trains; 4 with LoRA is QLoRA (arXiv:2305.14314)."""

    bits: int
    method: str = "bnb"  # bnb | hqq | eetq
    type: str = "nf4"  # nf4 | fp4
    double: bool = True


@dataclass(frozen=True)
class Checkpoints:
    """`every` counts optimizer steps, or is "epoch" or "never"; `keep` is how many stay, None: all.

    `keep_best` is the figure of the evaluation by which the best stays too and becomes the result."""

    every: int | str = "epoch"
    keep: int | None = 2
    keep_best: str | None = None
    weights_only: bool = False


@dataclass(frozen=True)
class EarlyStopping:
    """End a training whose evaluation has not got better `patience` times in a row."""

    patience: int = 3


GREEDY: Mapping[str, Any] = {"temperature": 0.0, "max_tokens": 512, "seed": 0}  # where a job says nothing
RETRIEVAL = ("embedding", "reranker")  # the tasks that learn from queries with passages


@dataclass(frozen=True)
class Retrieval:
    """What only an embedder or a reranker is trained with. Lengths are in tokens; `train_group_size` counts
    the passages of one query, the good one included."""

    train_group_size: int = 8
    query_max_length: int | None = None
    passage_max_length: int | None = None
    temperature: float = 0.02
    pooling: str | None = None  # cls | mean | last_token
    normalize: bool | None = None
    query_instruction: str | None = None  # "": none, whatever the model says
    negatives_across_devices: bool = False
    distillation: bool = False


@dataclass(frozen=True)
class Train:
    """`batch_size` is global: micro batch × accumulation × devices. Lengths are in tokens; a folder that
    `tracking` names for MLflow is absolute."""

    task: str = "sft"
    engine: str = "auto"
    method: str = "lora"
    epochs: float = 3.0
    max_steps: int | None = None
    learning_rate: float | None = None
    batch_size: int | None = None
    micro_batch_size: int | None = None
    max_length: int = 2048
    packing: str | None = None  # None | plain | neat
    scheduler: str = "cosine"
    warmup: float | int = 0.0  # a share of all steps below 1, else a count of steps
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    optimizer: str = "adamw_torch"
    seed: int = 42
    precision: str = "auto"  # auto | bf16 | fp16 | fp32
    attention: str = "auto"  # auto | sdpa | fa2 | disabled
    kernels: tuple[str, ...] = ()  # liger, unsloth
    gradient_checkpointing: bool | None = None
    eval_every: int | str | None = None  # steps, or "epoch"
    log_every: int = 1
    report_to: tuple[str, ...] = ()  # tensorboard, mlflow, wandb, swanlab, trackio
    tracking: Mapping[str, str] = field(default_factory=dict)  # of project, uri, mode what is set
    stop_on: str = "nan"  # nan | divergence | never
    lora: Lora = field(default_factory=Lora)
    freeze: Freeze = field(default_factory=Freeze)
    quantization: Quantization | None = None
    checkpoints: Checkpoints = field(default_factory=Checkpoints)
    early_stopping: EarlyStopping | None = None
    variant: str | None = None  # FlagEmbedding's class of model, such as encoder-only-base
    retrieval: Retrieval = field(default_factory=Retrieval)
    engine_python: Path | None = None
    native: Mapping[str, Any] = field(default_factory=dict)

    @property
    def trainer(self) -> str:
        """The engine that trains; auto follows from the task."""
        if self.engine != "auto":
            return self.engine
        return "flagembedding" if self.task in RETRIEVAL else "llamafactory"


@dataclass(frozen=True)
class Resources:
    """`gpus` is a count (0: the CPU), a list of indices, "all", or None: all that are visible.

    `processes` is how many take part on the CPU; on GPUs it is one each. An engine that gives no sign of
    life for `stall_timeout` seconds is ended; None: it is only warned of. `max_restarts` is how often a run
    whose engine failed for a reason that may pass is taken up again.
    """

    gpus: int | str | tuple[int, ...] | None = None
    processes: int = 1
    stall_timeout: float | None = None
    launcher: str = "local"
    nodes: int = 1
    max_restarts: int = 0


@dataclass(frozen=True)
class Deploy:
    """How to serve the result. `port` None takes a free one; `gpu_memory_share` is of the whole GPU, 0 to 1;
    `kv_cache_memory` is in bytes (a job writes 64MiB or 2GiB). `adapters` maps names in the API to runs or
    folders, with None the server takes none; `speculative` has method, tokens and perhaps model; `tls` the
    files certificate, key and perhaps ca. `canary` has a prompt on each line."""

    engine: str = "auto"
    name: str | None = None  # None: the job's name
    host: str = "127.0.0.1"
    port: int | None = None
    adapter: str = "merge"  # merge | attach
    adapters: Mapping[str, str] | None = None
    max_length: int | None = None
    dtype: str = "auto"
    gpus: int | str | tuple[int, ...] | None = None
    tensor_parallel: int | None = None
    pipeline_parallel: int | None = None
    data_parallel: int | None = None
    replicas: int = 1  # servers, behind a proxy where there are several
    proxy: bool = False
    canary: Path | None = None
    gpu_memory_share: float | None = None
    kv_cache_memory: int | None = None
    kv_cache_dtype: str | None = None
    quantization: str | None = None
    max_concurrency: int | None = None
    prefix_caching: bool | None = None
    tool_parser: str | None = None
    reasoning_parser: str | None = None
    api_key: str | None = None  # a reference, ${env:NAME}; None: one is made
    speculative: Mapping[str, Any] | None = None
    tls: Mapping[str, Path] | None = None
    log_requests: bool = False
    parity: str = "fail"  # fail | warn: what becomes of a server that does not answer as trained
    ready_timeout: float = 600.0  # seconds
    restart: str = "on-failure"  # never | on-failure | always
    max_restarts: int = 5  # within ten minutes
    engine_python: Path | None = None
    native: Mapping[str, Any] = field(default_factory=dict)

    @property
    def proxied(self) -> bool:
        """Whether its address is a proxy's, so that its servers can be replaced."""
        return self.proxy or self.replicas > 1

    @property
    def ranks(self) -> int:
        """How many GPUs the parallel sizes take together; one that is not set counts as 1."""
        sizes = (self.tensor_parallel, self.pipeline_parallel, self.data_parallel)
        return prod(size or 1 for size in sizes)


@dataclass(frozen=True)
class Evaluate:
    """How the served model is judged. `data` empty means data.test; each of `metrics` is one name with its
    options, files absolute; `sampling` has temperature, max_tokens, seed and what else is set; `timeout` is
    in seconds; `max_errors` is a share, 0 to 1; `compare` is base or a run; each of `tasks`
    has task, include (a folder), fewshot and limit, None where not set."""

    data: tuple[Dataset, ...] = ()
    system: str | None = None
    metrics: tuple[Mapping[str, Any], ...] = field(default_factory=lambda: ({"exact_match": {}},))
    sampling: Mapping[str, Any] = field(default_factory=lambda: dict(GREEDY))
    concurrency: int = 16
    retries: int = 3
    timeout: float = 120.0
    max_errors: float = 0.0
    compare: str | None = None
    tasks: tuple[Mapping[str, Any], ...] = ()
    gate: Mapping[str, str] = field(default_factory=dict)
    engine_python: Path | None = None


@dataclass(frozen=True)
class Job:
    """One job file, normalised. `file` is where it was read from; `source` its text as submitted."""

    name: str
    model: Model
    data: Data | None
    train: Train | None
    resources: Resources
    deploy: Deploy | None
    file: Path
    source: str
    overrides: tuple[str, ...] = ()
    places: Mapping[str, tuple[int, int]] = field(
        default_factory=dict
    )  # dotted key → line, column in `file`, from 1
    written: frozenset[str] = frozenset()  # dotted keys that the file or an override set
    silence: tuple[str, ...] = ()  # names of engine rules and of advice that are not to speak
    shown: str = ""  # the file as the user named it, for messages
    evaluate: Evaluate | None = None


def problem_at(job: Job, key: str, message: str, remedy: str = "") -> Problem:
    """A problem with a dotted key of a loaded job, at the key's place or at the nearest above it."""
    if key not in job.places:
        for override in reversed(job.overrides):
            name = re.sub(r"\.(\d+)(?=\.|$)", r"[\1]", override.partition("=")[0].strip())
            if key == name or key.startswith((f"{name}.", f"{name}[")):
                return Problem(f"--set {override}", 0, 0, key, message, remedy)
    above = key
    while above and above not in job.places:
        above = above[: max(above.rfind("."), above.rfind("["), 0)]
    line, column = job.places.get(above, (0, 0))
    return Problem(job.shown or str(job.file), line, column, key, message, remedy)
