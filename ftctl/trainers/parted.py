"""Training files of which rows are held out: the step that writes the parts, and the files that it writes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from ftctl.facts.model import DatasetFacts
from ftctl.job.model import Dataset
from ftctl.plan.model import Plan
from ftctl.plan.parts import parted, quotas
from ftctl.rendered import Rendered

FILE = "native/split.json"


def place(side: str, number: int) -> str:
    """Where the part of a training file lies in the run directory; `side` is train, eval or test."""
    return f"data/{side}_{number}.jsonl"


def sides(plan: Plan) -> tuple[str, ...]:
    """The parts that every training file has; none where no rows are held out."""
    data = plan.job.data
    if data is None or not parted(plan.job):
        return ()
    named = (("eval", data.eval_share), ("test", data.test_share))
    return ("train", *(side for side, share in named if share is not None))


def part(dataset: Dataset, fact: DatasetFacts) -> tuple[Dataset, DatasetFacts]:
    """A training file and what is known of it, once it is written as a part: whole, and as JSON Lines."""
    return replace(dataset, max_samples=None), replace(fact, file_type="jsonl")


def render(plan: Plan, python: str) -> Rendered | None:
    """The step that writes the parts, by ftctl's own interpreter `python`; None where there are none."""
    data, train = plan.job.data, plan.job.train
    if data is None or train is None or not sides(plan):
        return None
    asked = {"seed": train.seed, "overlap": data.overlap, "files": list(_files(plan))}
    argv = (python, "-m", "ftctl", "data", "split", "--from", FILE)
    return Rendered(argv, files={FILE: json.dumps(asked, indent=2, ensure_ascii=False) + "\n"})


def _files(plan: Plan) -> Iterator[dict[str, object]]:
    datasets = plan.job.data.train if plan.job.data is not None else ()
    each = zip(datasets, plan.facts.train_data, quotas(plan.job, plan.facts), strict=True)
    for number, (dataset, fact, quota) in enumerate(each):
        yield {
            "path": str(dataset.path),
            "format": fact.format,
            "columns": dict(fact.columns),
            "tags": dict(fact.tags),
            "take": dataset.max_samples,
            "held_out": {side: quota[side == "test"] for side in sides(plan)[1:]},
            "to": {side: place(side, number) for side in sides(plan)},
        }
