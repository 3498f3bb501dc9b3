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
from ftctl.job.training import Train


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


GREEDY: Mapping[str, Any] = {"temperature": 0.0, "max_tokens": 512, "seed": 0}  # where a job says nothing


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
