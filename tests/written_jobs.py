"""Job files that unit tests write, and what is said of those that are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ftctl.errors import JobError
from ftctl.job.load import load
from ftctl.job.model import Deploy, Job

Write = Callable[[str], Path]
HEAD = "name: a-job\nmodel: Qwen/Qwen3-0.6B\n"
TRAIN = HEAD + "data: {train: rows.jsonl}\ntrain:\n"


def writer(beside: Path) -> Write:
    """What writes a job file into a folder of its own, which holds rows and a model."""
    folder = beside / "a 'folder' 数据"
    (folder / "base").mkdir(parents=True)
    (folder / "base" / "config.json").write_text("{}")
    for name in ("rows.jsonl", "more.json", "null", "1.5"):
        (folder / name).write_text("{}\n")

    def written(text: str) -> Path:
        path = folder / "job.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return written


def refused(path: Path, *overrides: str, **environ: str) -> list[str]:
    """What is said of a job, without the file's name."""
    with pytest.raises(JobError) as caught:
        load(path, overrides, environ=environ)
    return [str(problem).replace(f"{path}:", "").strip() for problem in caught.value.problems]


def deploy_of(job: Job) -> Deploy:
    assert job.deploy is not None
    return job.deploy
