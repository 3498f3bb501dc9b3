"""The pipelines of docs/ci.md and the pre-commit hook, run as GitHub and pre-commit run them."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from ftctl.view.reports.kinds import KINDS
from tests.conftest import ROOT, Cli
from tests.docs.blocks import blocks

PAGE = ROOT / "docs" / "ci.md"
GOOD = "name: good\nmodel: x/y\ndeploy: {}\n"
BAD = "name: bad\nmodel: x/y\ndeploy: {port: high}\n"
HOOKS = ROOT / ".pre-commit-hooks.yaml"


def block(key: str) -> Any:
    """The page's YAML block that has a top-level `key`."""
    read = [yaml.safe_load("\n".join(each.lines)) for each in blocks(PAGE) if each.language == "yaml"]
    return next(value for value in read if key in value)


def steps() -> dict[str, str]:
    """The shell of the workflow's steps, by name."""
    return {step["name"]: step["run"] for step in block("jobs")["jobs"]["validate"]["steps"] if "run" in step}


def shell(text: str, folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a step as GitHub does on Linux: bash -e."""
    return subprocess.run(
        ["bash", "-e", "-c", text],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


@pytest.fixture
def jobs(ftctl: Cli) -> Path:
    """A repository's checkout with a good and a bad job."""
    (ftctl.cwd / "jobs").mkdir()
    (ftctl.cwd / "jobs" / "good.yaml").write_text(GOOD)
    (ftctl.cwd / "jobs" / "bad.yaml").write_text(BAD)
    return ftctl.cwd


@pytest.fixture
def environment(ftctl: Cli) -> dict[str, str]:
    """An environment with this ftctl on its path."""
    tools = ftctl.home / "bin"
    tools.mkdir()
    (tools / "ftctl").write_text(f'#!/bin/sh\nexec {sys.executable} -P -m ftctl "$@"\n')
    (tools / "ftctl").chmod(0o755)
    return {**ftctl.environment, "PATH": f"{tools}:{os.environ['PATH']}"}


def run_workflow(jobs: Path, environment: dict[str, str]) -> None:
    """The steps after the installation: the bad job fails the check and is in the reports."""
    done = shell(steps()["check"], jobs, environment)
    assert done.returncode == 2, done.stderr
    assert done.stdout.startswith(
        "::error file=jobs/bad.yaml,line=3,col=16,title=ftctl type::deploy.port: is text"
    )
    done = shell(steps()["reports"], jobs, environment)
    assert done.returncode == 0, done.stderr
    results = json.loads((jobs / "ftctl.sarif").read_text())["runs"][0]["results"]
    assert [result["ruleId"] for result in results] == ["type"]
    assert ElementTree.parse(jobs / "ftctl.xml").getroot().get("failures") == "1"
    (jobs / "jobs" / "bad.yaml").unlink()
    assert shell(steps()["check"], jobs, environment).returncode == 0


def test_the_steps_of_the_workflow(jobs: Path, environment: dict[str, str]) -> None:
    assert list(steps()) == ["install", "check", "reports"]
    run_workflow(jobs, environment)


def test_the_hook_is_one_that_pre_commit_can_run(jobs: Path, environment: dict[str, str]) -> None:
    (hook,) = yaml.safe_load(HOOKS.read_text())
    assert (hook["id"], hook["language"], hook["types"]) == ("ftctl-validate", "python", ["yaml"])
    assert re.search(hook["files"], "jobs/deep/bad.yml")
    assert re.search(hook["files"], "a/configs/bad.yaml")
    assert not re.search(hook["files"], "myjobs/notes.yaml")
    assert not re.search(hook["files"], "jobs/notes.txt")
    argv = [*shlex.split(hook["entry"]), *hook.get("args", ()), "jobs/good.yaml", "jobs/bad.yaml"]
    done = shell(shlex.join(argv), jobs, environment)
    assert done.returncode == 2
    assert "jobs/bad.yaml:3:16: deploy.port:" in done.stderr


def test_every_kind_is_on_the_page() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| (.+) \|$", PAGE.read_text().partition("## Kinds")[2], re.MULTILINE)
    assert dict(rows) == dict(KINDS)


@pytest.mark.engine
def test_the_workflow_from_its_installation_on(jobs: Path, ftctl: Cli) -> None:
    """No engine, but minutes where the registry is slow: a fresh environment, ftctl installed into it."""
    (jobs / ".ftctl").symlink_to(ROOT)
    subprocess.run([sys.executable, "-m", "venv", jobs / "python"], check=True, timeout=120)
    environment = {**ftctl.environment, "PATH": f"{jobs / 'python' / 'bin'}:{os.environ['PATH']}"}
    done = shell(steps()["install"], jobs, environment)
    assert done.returncode == 0, done.stderr[-2000:]
    run_workflow(jobs, environment)


@pytest.mark.engine
def test_pre_commit_runs_the_hook(jobs: Path, ftctl: Cli) -> None:
    """pre-commit itself, from the registry, installs the hook from a commit of this checkout and runs it."""
    source = jobs.parent / "source"
    subprocess.run(["git", "clone", "-q", ROOT, source], check=True, timeout=120)
    rev = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=source, check=True, capture_output=True, text=True
    ).stdout.strip()
    config = block("repos")
    config["repos"][0] |= {"repo": str(source), "rev": rev}
    (jobs / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config))
    subprocess.run(["git", "init", "-q"], cwd=jobs, check=True)
    subprocess.run(["git", "add", "-A"], cwd=jobs, check=True)
    uvx = [str(Path(sys.executable).with_name("uv")), "tool", "run", "--from", "pre-commit>=3.2"]
    argv = [*uvx, "pre-commit", "run", "--all-files", "--verbose"]

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            argv, cwd=jobs, env=ftctl.environment, capture_output=True, text=True, timeout=600, check=False
        )

    done = run()
    assert done.returncode == 1, done.stdout + done.stderr
    assert "jobs/bad.yaml:3:16: deploy.port:" in done.stdout
    assert "exit code: 2" in done.stdout
    (jobs / "jobs" / "bad.yaml").write_text(GOOD)
    subprocess.run(["git", "add", "-A"], cwd=jobs, check=True)
    assert run().returncode == 0
