"""The `train:` block of a job, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RETRIEVAL = ("embedding", "reranker")  # the tasks that learn from queries with passages


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
