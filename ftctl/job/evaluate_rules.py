"""Rules between keys for the block that judges: what it asks, and what there is to ask it of."""

from __future__ import annotations

from collections.abc import Mapping

from ftctl.job.training import RETRIEVAL
from ftctl.job.view import Broken, View

_KEYS = ("data", "system", "metrics", "sampling", "compare", "tasks")


def broken(job: View) -> Broken:
    """What is wrong between `evaluate` and the rest."""
    if job.has("evaluate"):
        yield from _server(job)
        yield from _rows(job)
        yield from _metrics(job)
        yield from _tasks(job)
    yield from _retrieval(job)


def _server(job: View) -> Broken:
    """The block needs somebody to ask."""
    if not job.has("deploy") and ("deploy",) not in job.bad:
        yield ("evaluate",), ("is set, and nothing is served that could be asked", "add `deploy: {}`")


def _rows(job: View) -> Broken:
    """The block needs questions, which a retrieval task has in data.eval."""
    if job.wrong("evaluate", "data") or job.wrong("data", "test") or job.wrong("train", "task"):
        return
    if job.wrong("evaluate", "tasks"):
        return
    given = job.has("evaluate.data") or job.has("data.test") or job.has("evaluate.tasks")
    if isinstance(job.get("data.test"), int | float) and not job.has("train"):
        said = "is a share of the rows that are trained on, and the job trains nothing"
        yield ("data", "test"), (said, "name a file of rows")
    if not given and job.get("train.task") not in RETRIEVAL:
        remedy = "write for example data: data/test.jsonl"
        yield ("evaluate", "data"), ("is missing, and data.test is not set", remedy)


def _metrics(job: View) -> Broken:
    """The metrics are those of the table, with its options."""
    given = job.get("evaluate.metrics")
    if not isinstance(given, list):
        return
    from ftctl.judge.asked import read_metrics

    for wrong in read_metrics(given)[1]:
        path = ("evaluate", "metrics", *wrong.path)
        if not job.wrong(*path):
            yield path, (wrong.message, wrong.remedy)


def _tasks(job: View) -> Broken:
    """A task of lm-eval has a name or a folder."""
    given = job.get("evaluate.tasks")
    for number, task in enumerate(given if isinstance(given, list) else ()):
        path = ("evaluate", "tasks", number)
        if (
            isinstance(task, Mapping)
            and not (task.get("task") or task.get("include"))
            and not job.wrong(*path)
        ):
            yield path, ("names no task", "write task: NAME, include: FOLDER/, or both")


def _retrieval(job: View) -> Broken:
    """An embedder or a reranker answers no questions: it is measured on data.eval."""
    task = job.get("train.task")
    if task not in RETRIEVAL or job.wrong("train", "task"):
        return
    for key in _KEYS:
        if job.has(f"evaluate.{key}"):
            said = f"does not go with task {task}, which is measured on data.eval through its deployment"
            yield ("evaluate", key), (said, "remove it")
    if job.has("data.test"):
        said = f"does not go with task {task}"
        yield ("data", "test"), (said, "write the rows under data.eval, on which it is measured")
