"""`ftctl validate` of many files and folders, as whole processes."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.conftest import Cli

GOOD = "name: {0}\nmodel: x/y\ndeploy: {{}}\n"
BAD = "name: a\nmodel: x/y\ndeplyo: {}\n"
OTHERS = {
    "compose.yml": "services: {web: {image: x}}\n",
    "llamafactory.yaml": "model_name_or_path: x/y\nstage: sft\n",
    "list.yaml": "- model: x\n",
    "broken.yaml": "a: [\n",
    "latin.yaml": "caf\xe9: 1\n",
    "empty.yaml": "",
}


@pytest.fixture
def folder(ftctl: Cli) -> Path:
    """A folder of jobs, one of them bad, between files that are none."""
    deep = ftctl.cwd / "jobs" / "deep er"
    deep.mkdir(parents=True)
    (ftctl.cwd / "jobs" / "a.yaml").write_text(GOOD.format("a"))
    (deep / "b.yml").write_text('{"name": "b", "model": "x/y", "deploy": {}}')
    (deep / "c.YAML").write_text(BAD)
    (deep / "unclosed.yaml").write_text("name: d\nmodel: x/y\ntrain: {lora: [\n")
    for name, text in OTHERS.items():
        (deep / name).write_text(text, encoding="latin-1")
    hidden = ftctl.cwd / "jobs" / ".git"
    hidden.mkdir()
    (hidden / "hidden.yaml").write_text(BAD)
    (deep / "loop").symlink_to(ftctl.cwd / "jobs")
    (deep / "gone.yaml").symlink_to(deep / "nowhere")
    return ftctl.cwd


def test_a_folder_is_searched_for_jobs(ftctl: Cli, folder: Path) -> None:
    answer = ftctl("validate", "jobs", "jobs/a.yaml", code=2)
    assert answer.out.splitlines() == [
        "jobs/a.yaml: valid (x/y, served)",
        "jobs/deep er/b.yml: valid (x/y, served)",
    ]
    lines = answer.err.splitlines()
    assert [line.split(":")[:2] for line in lines[:-1]] == [
        ["jobs/deep er/c.YAML", "3"],
        ["jobs/deep er/unclosed.yaml", "4"],
    ]
    assert lines[-1] == "ftctl: 2 problems in 2 of 4 files (7 others are no jobs)"


def test_a_folder_of_good_jobs(ftctl: Cli, folder: Path) -> None:
    (folder / "jobs" / "other.yaml").write_text("a: 1\n")
    for path in (folder / "jobs" / "deep er").iterdir():
        path.unlink()
    answer = ftctl("validate", folder / "jobs", code=0)
    assert answer.err == "ftctl: every job is valid (1 other is no job)\n"


def test_a_folder_without_a_job_is_a_mistake(ftctl: Cli) -> None:
    (ftctl.cwd / "none").mkdir()
    (ftctl.cwd / "none" / "x.yaml").write_text("a: 1\n")
    answer = ftctl("validate", "none", code=2)
    assert "there is no job file in this folder" in answer.err


def test_every_format_through_the_command(ftctl: Cli, folder: Path) -> None:
    commands = ftctl("validate", "jobs", "--format", "github", code=2)
    assert commands.out.splitlines()[0].startswith("::error file=jobs/deep er/c.YAML,line=3,col=1,title=")
    log = json.loads(ftctl("validate", "jobs", "--format", "sarif", code=2).out)
    assert log["runs"][0]["results"][0]["ruleId"] == "unknown-key"
    report = ElementTree.fromstring(ftctl("validate", "jobs", "--format", "junit", code=2).out)
    assert report.get("failures") == "2"
    as_json = ftctl("validate", "jobs", "--format", "json", code=2)
    assert as_json.out == ftctl("validate", "jobs", "--json", code=2).out
    assert as_json.err == ""
    assert (as_json.data["skipped"], len(as_json.data["jobs"])) == (7, 2)
    assert ftctl("validate", "jobs", "--format", "xml").code == 2


def test_a_good_job_in_every_format(ftctl: Cli, folder: Path) -> None:
    for form in ("text", "json", "github", "sarif", "junit"):
        answer = ftctl("validate", "jobs/a.yaml", "--format", form, code=0)
        assert answer.err == ""
        assert (form == "github") == (answer.out == "")


def test_a_file_name_that_is_no_text(ftctl: Cli) -> None:
    odd = os.fsencode(ftctl.cwd) + b"/\xff\n.yaml"
    with open(odd, "w") as file:
        file.write(BAD)
    for form in ("text", "json", "github", "sarif", "junit"):
        answer = ftctl("validate", os.fsdecode(odd), "--format", form, code=2)
        assert "\\udcff\\n.yaml" in (answer.out + answer.err).replace("\\\\", "\\").replace("%5C", "\\")


def test_jobs_share_what_is_looked_up(ftctl: Cli) -> None:
    (ftctl.cwd / "rows.jsonl").write_text('{"instruction": "a"}\n')
    for name in ("a", "b"):
        job = f"name: {name}\nmodel: x/y\ndata: {{train: rows.jsonl}}\ntrain: {{}}\n"
        (ftctl.cwd / f"{name}.yaml").write_text(job)
    answer = ftctl("validate", "a.yaml", "b.yaml", "--format", "junit", code=2)
    failures = [case[0].text for case in ElementTree.fromstring(answer.out)[0]]
    assert len(failures) == 2
    assert failures[0] == failures[1]
    assert answer.err == "ftctl: 1 problem in 2 of 2 files\n"


def test_progress_is_for_a_terminal(ftctl: Cli) -> None:
    """The count is written on the terminal once half a second has passed, and wiped at the end."""
    code = (
        "import time; from ftctl.view.counting import counting\n"
        "for item in counting(range(4), 'checking'): time.sleep(0.2)"
    )
    ours, theirs = pty.openpty()
    done = subprocess.run([sys.executable, "-c", code], stderr=theirs, check=True, timeout=30)
    os.close(theirs)
    text = os.read(ours, 4096).decode()
    os.close(ours)
    assert done.returncode == 0
    assert "\rchecking " in text
    assert " of 4" in text
    assert text.endswith(" \r")
    quiet = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=30)
    assert quiet.stderr == b""


def test_a_file_that_is_given_twice_is_checked_once(ftctl: Cli, folder: Path) -> None:
    job = folder / "jobs" / "a.yaml"
    said = ftctl("validate", str(job), "jobs/a.yaml", str(job), code=0)
    assert said.out.count("valid") == 1
