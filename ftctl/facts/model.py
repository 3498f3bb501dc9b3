"""What the shell found out, as values that the plan is derived from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Gpu:
    """One GPU: its index, name, memory in bytes, CUDA compute capability (8.0: Ampere) and UUID."""

    index: int
    name: str
    memory: int
    capability: float | None = None
    uuid: str | None = None


@dataclass(frozen=True)
class Occupied:
    """A GPU that is not free now, and why: "is held by …", say."""

    index: int
    why: str


@dataclass(frozen=True)
class MachineFacts:
    """GPUs that the driver lists, `CUDA_VISIBLE_DEVICES` as it is set (None: not set), cores and bytes.

    `driver_problem` says why there are no GPUs although there is a driver. `occupied` are the GPUs that are
    not free now; `leased` those that were taken for this job, in place of all (None: none were taken)."""

    gpus: tuple[Gpu, ...]
    cuda_visible_devices: str | None
    cpus: int
    memory: int
    disk_free: int
    driver_problem: str | None = None
    occupied: tuple[Occupied, ...] = ()
    leased: tuple[int, ...] | None = None


@dataclass(frozen=True)
class RetrievalFacts:
    """What a model folder says of its use as an embedder or a reranker; None where it says nothing.

    `pooling` and `normalize` are those of its sentence-transformers modules, `length` their limit in tokens;
    `positions` is how many tokens the model can read; `labels` how many outputs its head has.
    """

    pooling: str | None = None  # cls | mean | last_token, or a name that FlagEmbedding lacks
    normalize: bool | None = None
    query_prompt: str | None = None
    passage_prompt: str | None = None
    query_suffix: str | None = None  # what ends every query, as in-context learners want it
    length: int | None = None
    positions: int | None = None
    labels: int | None = None
    others: tuple[str, ...] = ()  # sentence-transformers modules beside Transformer, Pooling and Normalize
    m3: bool = False  # colbert_linear.pt and sparse_linear.pt lie beside the weights
    start_layer: int | None = None  # of a layerwise reranker: the first layer that gives a score


@dataclass(frozen=True)
class ModelFacts:
    """What a local model folder says of itself; for a Hub id only `path` is known."""

    path: str
    local: bool
    architecture: str | None = None
    model_type: str | None = None
    dtype: str | None = None
    max_positions: int | None = None
    attention_heads: int | None = None
    weight_bytes: int | None = None
    parameters: int | None = None
    tied_embeddings: bool | None = None
    has_chat_template: bool | None = None
    kv_token_values: int | None = None  # numbers that one token adds to the KV cache
    own_code: bool = False  # its configuration names code of its own (auto_map)
    modules: tuple[str, ...] = ()  # with weights of two dimensions; * stands for every number in a name
    retrieval: RetrievalFacts = field(default_factory=RetrievalFacts)

    @property
    def dummy(self) -> bool:
        """Whether ftctl's dummy wrote it: nothing can be computed with it."""
        return self.model_type == "ftctl_dummy"


@dataclass(frozen=True)
class DatasetFacts:
    """One data file, scanned: `format` resolved, `columns` and `tags` complete for that format, rows
    counted, sha256 of the bytes."""

    path: Path
    format: str  # alpaca | sharegpt | openai | text | retrieval | triplet | pair
    file_type: str  # json | jsonl | csv | parquet | txt
    rows: int
    bytes: int
    sha256: str
    columns: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    characters: int = 0  # of the texts that are trained on
    longest: int = 0  # characters of the longest row
    turns: int = 0
    duplicates: int = 0
    examples: int = 0  # queries that an embedder or a reranker draws in an epoch
    plain: bool = True  # whether the engine is given the file as it is


@dataclass(frozen=True)
class EngineFacts:
    """An engine's interpreter. `version` is None and `installed` false until it has been built.

    `trackers` are those that ftctl installs beside it for the job."""

    name: str  # llamafactory | flagembedding | vllm | lmdeploy | dummy
    variant: str  # cpu | cuda | user; own for the dummy
    python: Path
    installed: bool
    version: str | None = None
    why: str = ""  # why it was chosen, where the job leaves it open
    trackers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    """All that was looked up for one job."""

    machine: MachineFacts
    model: ModelFacts
    train_data: tuple[DatasetFacts, ...] = ()
    eval_data: tuple[DatasetFacts, ...] = ()
    trainer: EngineFacts | None = None
    server: EngineFacts | None = None
    judge: EngineFacts | None = None  # where a job evaluates
    lm_eval: EngineFacts | None = None  # where it asks tasks of lm-eval
    test_data: tuple[DatasetFacts, ...] = ()  # the questions' files
