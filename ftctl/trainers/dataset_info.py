"""One entry of LLaMA-Factory's dataset_info.json."""

from __future__ import annotations

from typing import Any

from ftctl.facts.model import DatasetFacts
from ftctl.job.model import Dataset


def dataset_info_entry(facts: DatasetFacts, file_name: str, dataset: Dataset) -> dict[str, Any]:
    """The entry for a scanned file that stands under `file_name` in the dataset folder, its ending the
    file's type.

    openai messages are rendered as sharegpt with tags: LLaMA-Factory 0.9.5 adds "detailed thinking off" to
    the system prompt of its own openai format. It fills `num_samples` above the rows by repeating some, so
    a `max_samples` that does not bite is left out.
    """
    alpaca = facts.format in ("alpaca", "text")
    entry: dict[str, Any] = {
        "file_name": file_name,
        "formatting": "alpaca" if alpaca else "sharegpt",
        "columns": dict(facts.columns),
    }
    if not alpaca:
        entry["tags"] = dict(facts.tags)
    if dataset.max_samples is not None and dataset.max_samples < facts.rows:
        entry["num_samples"] = dataset.max_samples
    return entry
