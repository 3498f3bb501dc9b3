"""Preparing a job: what is looked up, and that each problem stands where it belongs."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftctl.errors import JobError
from ftctl.job.load import load
from ftctl.prepare import prepare

ENVIRON = {"HOME": "/nowhere", "PATH": "/usr/bin"}


def test_an_interpreter_that_cannot_be_run_is_named_where_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"instruction": "Why?", "output": "So."}\n')
    for name in ("one", "two"):
        (tmp_path / name).write_text("no program")
    path = tmp_path / "job.yaml"
    path.write_text(
        "name: a\nmodel: x/y\ndata: {train: rows.jsonl}\ntrain: {engine_python: one}\n"
        "deploy: {engine_python: two}\n"
    )
    with pytest.raises(JobError) as caught:
        prepare(load(path, environ=ENVIRON), environ=ENVIRON, anywhere=True)
    assert [(p.line, p.key, p.kind) for p in caught.value.problems] == [
        (4, "train.engine_python", "engine"),
        (5, "deploy.engine_python", "engine"),
    ]
    assert all("is not executable" in problem.message for problem in caught.value.problems)


def test_a_model_shared_over_gpus_is_valid_where_there_are_none(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text("name: a\nmodel: x/y\ndeploy: {tensor_parallel: 2, data_parallel: 2}\n")
    plan = prepare(load(path, environ=ENVIRON), environ=ENVIRON, anywhere=True)
    assert plan.serve is not None
    assert len(plan.serve.devices) == 4
