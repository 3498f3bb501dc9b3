"""Looks up what an evaluation rests on before hours of training: its questions, and who asks them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ftctl.engines.locate import locate
from ftctl.errors import FtctlError, Problem, of_kind
from ftctl.facts.asked import Asked
from ftctl.facts.model import DatasetFacts, EngineFacts
from ftctl.job.model import Evaluate, Job, problem_at
from ftctl.judge.evaluate import wanted_of
from ftctl.judge.question_files import Surveyed, survey

JUDGE = "judge"


@dataclass(frozen=True)
class LookedUp:
    """The judge's environment and the questions' files that are good, and what is to be said of them."""

    judge: EngineFacts | None
    data: tuple[DatasetFacts, ...] = ()
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


def look_up_evaluation(job: Job, block: Evaluate, environ: Mapping[str, str], asked: Asked) -> LookedUp:
    """Read every file of questions once, and find the judge's interpreter."""
    wanted = wanted_of(job)
    if wanted is None:
        return LookedUp(None)
    problems: list[Problem] = []
    judge = _judge(job, block, environ, problems)
    key = "evaluate.data" if block.data else "data.test"
    surveys: list[Surveyed] = [
        asked.once(("questions", repr(dataset)), lambda dataset=dataset: survey(dataset))  # type: ignore[misc] # mypy knows no default of a lambda
        for dataset in wanted.files
        if dataset.path.is_file()
    ]
    problems += of_kind("data", [problem for found in surveys for problem in found.problems])
    data = tuple(found.facts for found in surveys if found.facts is not None)
    return LookedUp(judge, data, tuple(problems), tuple(_warnings(job, key, surveys)))


def _judge(
    job: Job, block: Evaluate, environ: Mapping[str, str], problems: list[Problem]
) -> EngineFacts | None:
    try:
        return locate(JUDGE, "cpu", python=block.engine_python, environ=environ)
    except FtctlError as error:
        found = problem_at(job, "evaluate.engine_python", error.message, error.remedy)
        problems.extend(of_kind("engine", [found]))
        return None


def _warnings(job: Job, key: str, surveys: list[Surveyed]) -> list[Problem]:
    """Rows without a reference count for no metric that needs one."""
    rows = sum(found.facts.rows for found in surveys if found.facts is not None)
    without = rows - sum(found.references for found in surveys if found.facts is not None)
    if not without:
        return []
    said = f"{without} of {rows} questions have no reference, and count for no metric that needs one"
    problem = problem_at(job, key, said, "give them an answer, or ask for metrics that need none")
    return [replace(problem, kind="data", level="warning")]
