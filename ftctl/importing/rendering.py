"""What an imported job renders to, on a machine that has every GPU it asks for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ftctl.errors import Problem
from ftctl.facts.model import DatasetFacts, EngineFacts, Facts, Gpu, MachineFacts, ModelFacts
from ftctl.job import environment, normalise
from ftctl.job.check import check
from ftctl.job.load import job_of, job_schema
from ftctl.job.model import Dataset, Job
from ftctl.job.node import values
from ftctl.job.yaml12 import compose
from ftctl.plan.model import Plan
from ftctl.plan.train import plan_train
from ftctl.trainers import llamafactory
from ftctl.trainers.llamafactory_templates import TEMPLATES

_MANY = 1_000_000  # rows: as if there were always enough


def read_back(text: str, file: str, folder: Path) -> tuple[Job | None, tuple[Problem, ...]]:
    """The job in `text`, or what this version refuses in it. That files are there is not asked."""
    root, problems = compose(text, file)
    if root is None:
        return None, problems
    schema = job_schema()
    root, unresolved = environment.resolve(root, schema, _Any())
    problems += unresolved + check(root, schema)
    if problems:
        return None, problems
    base = normalise.Folder(folder, folder, lambda path: False)
    return job_of(root, folder / Path(file).name, text, (), base), ()


def arguments(job: Job) -> tuple[dict[str, Any] | None, tuple[Problem, ...]]:
    """The engine's arguments of a LLaMA-Factory training job, or what the plan refuses."""
    if job.train is None or job.data is None:
        return None, ()
    asked = job.resources.gpus
    count = asked if isinstance(asked, int) else max(asked) + 1 if isinstance(asked, tuple) else 1
    gpus = tuple(Gpu(index, "any", 0) for index in range(count))
    facts = Facts(
        MachineFacts(gpus, None, 16, 0, 0),
        ModelFacts(job.model.path, local=False),
        tuple(_rows(dataset) for dataset in job.data.train),
        tuple(_rows(dataset) for dataset in job.data.eval),
        EngineFacts("llamafactory", "cuda", Path("python"), installed=True),
    )
    decided, made = plan_train(job, job.train, facts, TEMPLATES)
    if made.problems:
        return None, tuple(made.problems)
    rendered = llamafactory.render(Plan(job, facts, decided, None, ()))
    root, _ = compose(rendered.files["native/train.yaml"], "train.yaml")
    return (None if root is None else _unescaped(values(root))), ()


def _rows(dataset: Dataset) -> DatasetFacts:
    kind = dataset.format if dataset.format != "auto" else "alpaca"
    return DatasetFacts(dataset.path, kind, "jsonl", _MANY, 0, "", dataset.columns, dataset.tags)


def _unescaped(value: Any) -> Any:
    """Values as the engine sees them: OmegaConf reads `\\${` as `${`."""
    if isinstance(value, str):
        return value.replace("\\${", "${")
    if isinstance(value, Mapping):
        return {key: _unescaped(item) for key, item in value.items()}
    return [_unescaped(item) for item in value] if isinstance(value, list) else value


class _Any(dict[str, str]):
    """An environment in which every variable is set."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> str:
        return "1"
