"""The pages tell the truth: every command block runs and prints what it shows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, Cli
from tests.docs.blocks import Command, blocks, commands, missing

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
WITH_ENGINES = [page for page in PAGES if any(command.engine for command in commands(page))]


def run_page(page: Path, ftctl: Cli, *, engines: bool) -> None:
    """Run the page's commands in a copy of what a clone holds, and compare what they print."""
    for name in ("configs", "schemas", "ftctl"):
        shutil.copytree(ROOT / name, ftctl.cwd / name, ignore=shutil.ignore_patterns("__pycache__"))
    tools = ftctl.home / "bin"
    tools.mkdir()
    (tools / "ftctl").write_text(f'#!/bin/sh\nexec {sys.executable} -P -m ftctl "$@"\n')
    (tools / "ftctl").chmod(0o755)
    environment = {**ftctl.environment, "PATH": f"{tools}:{os.environ['PATH']}"}
    try:
        for command in commands(page):
            if command.engine and not engines:
                continue
            run_command(command, environment, ftctl.cwd, page.name)
    finally:
        if engines:
            ftctl("stop", "--all", timeout=120)


def run_command(command: Command, environment: dict[str, str], folder: Path, page: str) -> None:
    """Run one command of a page; fails with its place, exit code and output where it differs."""
    text, cwd, shown = command.text, folder, command.shown
    if text.startswith("make "):
        # `make test` would start this very test again: that the target is there and can be made is checked.
        text, cwd, shown = text.replace("make ", "make --dry-run ", 1), ROOT, ()
    done = subprocess.run(
        ["bash", "-c", text],
        env=environment,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900 if command.engine else 60,
        check=False,
    )
    place = f"{page}:{command.line}: {text}"
    assert done.returncode == command.exit_code, f"{place}: exit {done.returncode}\n{done.stdout[-3000:]}"
    lost = missing(shown, done.stdout)
    assert lost is None, f"{place}: not printed: {lost}\n{done.stdout[-3000:]}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_of_a_page(page: Path, ftctl: Cli) -> None:
    run_page(page, ftctl, engines=False)


@pytest.mark.engine
@pytest.mark.parametrize("page", WITH_ENGINES, ids=lambda page: page.name)
def test_the_commands_of_a_page_with_engines(page: Path, ftctl: Cli, tiny_model: Path) -> None:
    run_page(page, ftctl, engines=True)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_block_that_names_a_file_shows_that_file(page: Path) -> None:
    """```yaml configs/demo/job.yaml: the lines of the block are lines of that file, in order."""
    for block in blocks(page):
        for word in block.words:
            if "/" in word:
                text = (ROOT / word).read_text()
                assert missing(block.lines, text) is None, f"{page.name}:{block.line}: {word} has changed"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_links_to_what_is_there(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_that_is_shown_runs(page: Path) -> None:
    """Commands stand in `console` blocks, which run; a recording (`text`) shows only such commands."""
    run = {f"$ {command.text}" for each in PAGES for command in commands(each)}
    for block in blocks(page):
        if block.language != "console" and page.name != "commands.md":
            prompts = ("$ ",) if block.language == "text" else ("$ ", "ftctl ", "make ")
            shown = {line for line in block.lines if line.startswith(prompts)}
            assert shown <= run, f"{page.name}:{block.line}: {shown - run}"


def test_a_difference_is_found() -> None:
    assert missing(("one", "...", "three ... five"), "one\ntwo\nthree four five\n") is None
    assert missing(("one", "two"), "two\none\n") == "two"
    assert missing(("one",), "one more\n") == "one"
