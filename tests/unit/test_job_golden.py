"""Broken jobs, and what is said of each: a changed message is a diff that someone reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftctl.errors import JobError
from ftctl.job.load import draft
from ftctl.prepare import prepare

CASES = Path(__file__).parents[1] / "golden" / "bad_jobs"
ENVIRON = {"HOME": "/nowhere", "PATH": "/usr/bin", "FTCTL_TEST_KEY": "secret-value"}
NAMES = sorted(path.stem for path in CASES.glob("*.yaml"))


def said(name: str) -> str:
    """All that is said of a case; machine paths as DIR."""
    with pytest.raises(JobError) as caught:
        prepare(draft(Path(f"{name}.yaml"), environ=ENVIRON), environ=ENVIRON, anywhere=True)
    assert caught.value.exit_code == 2
    return str(caught.value).replace(str(CASES), "DIR") + "\n"


@pytest.mark.parametrize("name", NAMES)
def test_message(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CASES)
    assert said(name) == (CASES / f"{name}.expected").read_text(encoding="utf-8")


def test_there_are_enough_cases_and_no_orphans() -> None:
    assert len(NAMES) > 50
    assert sorted(path.stem for path in CASES.glob("*.expected")) == NAMES


def test_no_secret_is_repeated() -> None:
    for path in CASES.glob("*.expected"):
        text = path.read_text(encoding="utf-8")
        assert "sk-" not in text
        assert "123456789" not in text
