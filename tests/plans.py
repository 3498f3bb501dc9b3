"""Jobs and plans made by hand, for tests of what comes after loading and planning."""

from __future__ import annotations

import sys
from pathlib import Path

from ftctl.facts.model import DatasetFacts, EngineFacts, Facts, Gpu, MachineFacts, ModelFacts
from ftctl.job.model import Data, Dataset, Deploy, Job, Model, Resources
from ftctl.job.training import Train
from ftctl.plan.decisions import Decisions
from ftctl.plan.model import Plan
from ftctl.plan.train import plan_train
from ftctl.trainers.llamafactory_templates import TEMPLATES

ROWS = 80
A100 = Gpu(0, "NVIDIA A100", 80 * 2**30, 8.0)
V100 = Gpu(0, "NVIDIA V100", 32 * 2**30, 7.0)


def machine(*gpus: Gpu, visible: str | None = None, cpus: int = 2) -> MachineFacts:
    return MachineFacts(gpus, visible, cpus, 24 * 2**30, 80 * 2**30)


def job(train: Train | None = None, **changes: object) -> Job:
    """A small valid job: full SFT of /models/base on /data/train.jsonl, on the CPU."""
    fields: dict[str, object] = {
        "name": "small",
        "model": Model("/models/base", local=True),
        "data": Data((Dataset(Path("/data/train.jsonl")),)),
        "train": train or Train(method="full"),
        "resources": Resources(gpus=0),
        "deploy": None,
        "file": Path("/jobs/job.yaml"),
        "source": "name: small\n",
        "places": {"train": (3, 1), "train.batch_size": (5, 3), "model": (2, 1)},
    }
    return Job(**{**fields, **changes})  # type: ignore[arg-type] # the fields are given by name in tests


def facts(the_machine: MachineFacts | None = None, *, rows: int = ROWS, **model: object) -> Facts:
    known: dict[str, object] = {"parameters": 900_000, "dtype": "float32", "has_chat_template": True}
    data = DatasetFacts(
        Path("/data/train.jsonl"),
        "alpaca",
        "jsonl",
        rows,
        10_000,
        "0" * 64,
        {"prompt": "instruction", "response": "output"},
    )
    return Facts(
        the_machine or machine(),
        ModelFacts("/models/base", local=True, **{**known, **model}),  # type: ignore[arg-type] # as above
        (data,),
        trainer=EngineFacts("llamafactory", "cpu", Path(sys.executable), installed=True),
    )


def decide(the_job: Job, the_facts: Facts) -> tuple[Plan, Decisions]:
    assert the_job.train is not None
    decided, made = plan_train(the_job, the_job.train, the_facts, TEMPLATES)
    return Plan(the_job, the_facts, decided, None, tuple(made.choices)), made


def plan(train: Train | None = None, *, deploy: Deploy | None = None) -> Plan:
    made, decisions = decide(job(train, deploy=deploy), facts())
    assert not decisions.problems
    return made
