"""Looks up what an evaluation rests on before hours of training: its questions, its files, and who asks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from ftctl.engines.locate import locate
from ftctl.errors import FtctlError, Problem, of_kind
from ftctl.facts.asked import Asked as Known
from ftctl.facts.model import DatasetFacts, EngineFacts
from ftctl.job.model import Evaluate, Job, problem_at
from ftctl.job.training import RETRIEVAL
from ftctl.judge.asked import files_of, read_metrics
from ftctl.judge.evaluate import wanted_of
from ftctl.judge.metrics import METRICS, Asked
from ftctl.judge.question_files import Surveyed, survey
from ftctl.judge.scoring import check_server

JUDGE, LM_EVAL = "judge", "lm-eval"
_SECRET = re.compile(r"\$\{env:(\w+)\}")


@dataclass(frozen=True)
class LookedUp:
    """The judge's environment, that of lm-eval where tasks are asked, the questions' files that are good, and
    what is to be said of them."""

    judge: EngineFacts | None
    lm_eval: EngineFacts | None = None
    data: tuple[DatasetFacts, ...] = ()
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


def look_up_evaluation(
    job: Job,
    block: Evaluate,
    server: EngineFacts | None,
    environ: Mapping[str, str],
    known: Known,
    *,
    anywhere: bool = False,
) -> LookedUp:
    """Read every file of questions once, find the judge's interpreter, and look at what the metrics need.

    With `anywhere` secrets are not looked for: the job runs on another machine.
    """
    if job.train is not None and job.train.task in RETRIEVAL:
        return LookedUp(None)  # it answers no questions: its block is a gate over data.eval
    found: list[Problem] = []
    wanted = wanted_of(job)
    judge = _judge(job, block, environ, found)
    metrics = read_metrics(list(block.metrics))[0]
    found += of_kind("path", _files(job, block))
    found += of_kind("engine", _server(job, metrics, server))
    found += [] if anywhere else of_kind("environment", _secrets(job, block, environ))
    surveys = [
        known.once(("questions", repr(dataset)), partial(survey, dataset))
        for dataset in (() if wanted is None else wanted.files)
        if dataset.path.is_file()
    ]
    found += of_kind("data", [problem for one in surveys for problem in one.problems])
    good = [one for one in surveys if one.facts is not None]
    told = list(of_kind("data", _references(job, block, metrics, good)))
    found += [problem for problem in told if problem.level == "error"]
    data = tuple(one.facts for one in good if one.facts is not None)
    odd = tuple(one for one in told if one.level != "error")
    # Its locked environment is there for the asking, so nothing can be wrong with it yet.
    lm_eval = locate(LM_EVAL, "cpu", python=None, environ=environ) if block.tasks else None
    return LookedUp(judge, lm_eval, data, tuple(found), odd)


def _judge(job: Job, block: Evaluate, environ: Mapping[str, str], found: list[Problem]) -> EngineFacts | None:
    try:
        return locate(JUDGE, "cpu", python=block.engine_python, environ=environ)
    except FtctlError as error:
        problem = problem_at(job, "evaluate.engine_python", error.message, error.remedy)
        found.extend(of_kind("engine", [problem]))
        return None


def _files(job: Job, block: Evaluate) -> Iterator[Problem]:
    """Files that a metric's options name and that are not there, or lack the function that is named."""
    for number, one in enumerate(block.metrics):
        for asked in read_metrics([one])[0]:
            for option, path in files_of(asked).items():
                key = f"evaluate.metrics[{number}].{asked.metric}.{option}"
                name = str(asked.options[option]).rpartition(":")[2]
                if not Path(path).is_file():
                    yield problem_at(job, key, f"there is no file {path}", "correct the path")
                elif option == "function" and not _may_have(Path(path), name):
                    yield problem_at(job, key, f"{path} has no function {name}", "correct the name")


def _may_have(file: Path, name: str) -> bool:
    """Whether a Python file, which is not run, may give the function: true where that cannot be said."""
    import ast

    try:
        found = list(ast.walk(ast.parse(file.read_bytes())))
    except (OSError, ValueError, SyntaxError, RecursionError):  # its interpreter may be a newer one
        return True
    defined = {getattr(one, "name", None) or getattr(one, "id", None) for one in found}
    imported = {one.asname or one.name for one in found if isinstance(one, ast.alias)}
    return bool({name, "*"} & (defined | imported))


def _secrets(job: Job, block: Evaluate, environ: Mapping[str, str]) -> Iterator[Problem]:
    """References to keys that are not set here, hours before they are needed."""
    for number, one in enumerate(block.metrics):
        for name, options in one.items():
            match = _SECRET.fullmatch(str(options.get("api_key", "")))
            if match is not None and not environ.get(match[1]):
                key = f"evaluate.metrics[{number}].{name}.api_key"
                yield problem_at(job, key, f"the environment variable {match[1]} is not set", "set it")


def _server(job: Job, metrics: Sequence[Asked], server: EngineFacts | None) -> Iterator[Problem]:
    """A metric that the engine cannot measure."""
    try:
        check_server(metrics, "" if server is None else server.name)
    except FtctlError as error:
        yield problem_at(job, "evaluate.metrics", error.message, error.remedy)


def _references(
    job: Job, block: Evaluate, metrics: Sequence[Asked], surveys: Sequence[Surveyed]
) -> Iterator[Problem]:
    """Rows without a reference, where a metric needs one: an error where none has any."""
    needing = [one.metric for one in metrics if METRICS[one.metric].needs == "reference"]
    rows = sum(one.facts.rows for one in surveys if one.facts is not None)
    without = rows - sum(one.references for one in surveys)
    if not needing or not without:
        return
    key = "evaluate.data" if block.data else "data.test"
    names = " and ".join(needing)
    if without == rows:
        said = f"none of the {rows} questions has a reference, and {names} needs one"
        yield problem_at(job, key, said, "give them answers, or ask for metrics that need none")
        return
    said = f"{without} of {rows} questions have no reference: {names} leaves them out"
    yield replace(problem_at(job, key, said, "give them an answer"), level="warning")
