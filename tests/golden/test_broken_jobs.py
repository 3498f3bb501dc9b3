"""Broken jobs and every word that is said of each, looked at as `ftctl validate` does.

The comment `# wrong` marks the lines of a job that a message must name, and the only ones that it may.
`python -m tests.golden.test_broken_jobs` writes what is expected again: read the difference.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ftctl.errors import JobError, Problem
from ftctl.facts.asked import Asked
from ftctl.job.load import draft
from ftctl.prepare import prepare
from ftctl.view.reports.kinds import description
from ftctl.view.reports.model import kind_of

CASES = Path(__file__).parent / "broken_jobs"
NAMES = sorted(path.stem for path in CASES.glob("*.yaml"))
MARK = "# wrong"


def problems_of(name: str, asked: Asked) -> tuple[Problem, ...]:
    """Every problem of a case; the working directory must be that of the cases."""
    environ = {"HOME": "/nowhere", "PATH": os.defpath}
    try:
        prepare(draft(Path(f"{name}.yaml"), environ=environ), environ=environ, anywhere=True, asked=asked)
    except JobError as error:
        return error.problems
    return ()


def text_of(problems: tuple[Problem, ...]) -> str:
    """The problems as they are printed; the cases' own folder as DIR."""
    return "".join(f"{problem}\n" for problem in problems).replace(str(CASES), "DIR")


@pytest.fixture(scope="module")
def asked() -> Asked:
    return Asked()


@pytest.mark.parametrize("name", NAMES)
def test_every_mistake_is_named_in_its_line(name: str, asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CASES)
    problems = problems_of(name, asked)
    assert text_of(problems) == (CASES / f"{name}.expected").read_text(encoding="utf-8")
    assert problems
    lines = (CASES / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    marked = {number for number, line in enumerate(lines, 1) if line.endswith(MARK)}
    assert {problem.line for problem in problems if problem.file == f"{name}.yaml"} == marked
    if not marked:
        assert all(problem.file == str(CASES / "data" / Path(problem.file).name) for problem in problems)
    assert all(description(kind_of(problem)) != "The job can be run." for problem in problems)


def test_there_are_forty_and_more_of_eight_sorts() -> None:
    sorts = {name.partition("_")[0] for name in NAMES}
    assert {"typo", "type", "range", "conflict", "native", "file", "data", "mixed"} <= sorts
    assert len(NAMES) >= 40
    assert sorted(path.stem for path in CASES.glob("*.expected")) == NAMES


@pytest.mark.parametrize("name", ["ten_mistakes", "mixed_ten_kinds", "mixed_ten_more"])
def test_ten_mistakes_are_ten_errors(name: str) -> None:
    said = (CASES / f"{name}.expected").read_text(encoding="utf-8").splitlines()
    assert len(said) == len({line.partition(": ")[0] for line in said}) == 10


def write() -> None:
    os.chdir(CASES)
    for name in NAMES:
        Path(f"{name}.expected").write_text(text_of(problems_of(name, Asked())), encoding="utf-8")


if __name__ == "__main__":
    write()
