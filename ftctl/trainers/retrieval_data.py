"""The data of a run of an embedder or a reranker: links to files that fit, a step that converts others."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftctl.facts.model import DatasetFacts, Facts
from ftctl.job.model import Dataset, Job
from ftctl.rendered import Rendered

FILE = "native/convert.json"
IN_BATCH = "no_in_batch_neg"  # FlagEmbedding 1.4.2 reads this ending of a file's name


@dataclass(frozen=True)
class RetrievalData:
    """Files in the run directory, by their names there. `convert` runs before the training, if it is one;
    it leaves `data/converted.json`."""

    train: tuple[str, ...]
    eval: tuple[str, ...]
    links: Mapping[str, Path] = field(default_factory=dict)
    convert: Rendered | None = None


def retrieval_data(job: Job, facts: Facts, instruction: str | None, python: str) -> RetrievalData:
    """How the data of a job gets into its run. `instruction` is what goes in front of queries; `python` the
    interpreter that runs ftctl."""
    if job.data is None or job.train is None:
        return RetrievalData((), ())
    asked, share = job.train.retrieval, job.data.eval_share or 0
    links: dict[str, Path] = {}
    files: list[dict[str, Any]] = []
    names: dict[str, list[str]] = {"train": [], "eval": []}
    sides = (("train", job.data.train, facts.train_data), ("eval", job.data.eval, facts.eval_data))
    for side, datasets, looked in sides:
        for number, (dataset, fact) in enumerate(zip(datasets, looked, strict=False)):
            name = f"data/{side}_{number}{_ending(dataset.path)}.jsonl"
            splits = side == "train" and bool(share)
            names[side].append(name)
            if fact.plain and not splits and (dataset.max_samples or fact.rows) >= fact.rows:
                links[name] = dataset.path
                continue
            held_out = f"data/eval_{number}.jsonl" if splits else None
            files.append(_entry(dataset, fact, name, held_out, side == "train"))
            names["eval"] += [held_out] if held_out else []
    how = {
        "share": share,
        "seed": job.train.seed,
        "negatives": max(1, asked.train_group_size - 1),
        "task": job.train.task,
        "prompts": bool(instruction),
        "scores": asked.distillation,
    }
    convert = _step({"how": how, "files": files}, python) if files else None
    return RetrievalData(tuple(names["train"]), tuple(names["eval"]), links, convert)


def _ending(path: Path) -> str:
    return f"_{IN_BATCH}" if path.stem.endswith(IN_BATCH) else ""


def _entry(
    dataset: Dataset, fact: DatasetFacts, to: str, held_out_to: str | None, negatives: bool
) -> dict[str, Any]:
    described = {
        "path": str(dataset.path),
        "format": fact.format,
        "columns": dict(fact.columns),
        "max_samples": dataset.max_samples,
        "threshold": dataset.threshold,
    }
    return {"dataset": described, "to": to, "held_out_to": held_out_to, "negatives_needed": negatives}


def _step(conversion: Mapping[str, Any], python: str) -> Rendered:
    argv = (python, "-m", "ftctl", "data", "convert", "--from", FILE)
    return Rendered(argv, files={FILE: json.dumps(conversion, indent=2) + "\n"})
