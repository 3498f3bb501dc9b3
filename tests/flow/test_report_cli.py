"""`ftctl report` and `ftctl plot` as processes, without the charts' environment."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from ftctl.run.directory import RunDir
from tests.conftest import Cli
from tests.reported import evaluated, run_in, served, trained


@pytest.fixture
def run(ftctl: Cli) -> RunDir:
    """A whole run where `ftctl` finds it."""
    run = run_in(ftctl.cwd / "runs")
    trained(run, resumed=True)
    served(run)
    evaluated(run)
    return run


def test_both_files_are_written_into_the_run_s_folder(ftctl: Cli, run: RunDir) -> None:
    data = ftctl("report", "small", "--no-charts", "--json", code=0).data
    files = [run.path / "report.html", run.path / "report.md"]
    assert data == {"files": [str(file) for file in files], "left_out": ["charts (--no-charts)"]}
    html, markdown = (file.read_text() for file in files)
    assert html.startswith("<!doctype html>")
    assert "<svg" not in html
    assert markdown.startswith("# small\n")
    assert "![" not in markdown


def test_a_file_that_is_there_is_replaced_whole_or_stays(ftctl: Cli, run: RunDir) -> None:
    page = ftctl.cwd / "reports" / "page.html"
    page.parent.mkdir()
    page.write_text("an older one")
    lacking = {"FTCTL_JUDGE_PYTHON": sys.executable}  # an interpreter without matplotlib
    answer = ftctl("report", run.path, "--output", page, env=lacking, code=4)
    assert "has no matplotlib" in answer.err
    assert page.read_text() == "an older one"
    assert ftctl("report", run.path, "-o", page, "--no-charts", code=0).out == f"{page}\n"
    assert page.read_text().startswith("<!doctype html>")
    assert list(page.parent.iterdir()) == [page]


def test_no_secret_of_the_environment_gets_in(ftctl: Cli, run: RunDir) -> None:
    (run.path / "job.yaml").write_text("deploy:\n  api_key: ${env:THE_KEY}\n")
    ftctl("report", "small", "--no-charts", env={"THE_KEY": "sk-3f9a71"}, code=0)
    for name in ("report.html", "report.md"):
        text = (run.path / name).read_text()
        assert "THE_KEY" in text.replace("&#95;", "_")
        assert "sk-3f9a71" not in text


def test_a_browser_is_asked_to_show_the_page(ftctl: Cli, run: RunDir, tmp_path: Path) -> None:
    asked, browser = tmp_path / "asked", tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {asked}\n')
    browser.chmod(0o755)
    ftctl("report", "small", "--no-charts", "--open", env={"BROWSER": str(browser)}, code=0)
    assert asked.read_text().strip() == (run.path / "report.html").as_uri()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("report", "small", "-o", "report.pdf"), "report.pdf: a report is HTML or Markdown"),
        (
            ("report", "small", "-o", "/proc/1/report.html", "--no-charts"),
            "/proc/1/report.html: cannot be written",
        ),
        (("report", "nobody"), "there is no run called nobody"),
        (("plot", "small", "--metric", "lose"), "there is no curve of 'lose'"),
        (("plot", "small", "--by", "hour"), "choose one of: step, time"),
        (("plot", "small", "--metric", "samples_per_second"), "reported no samples per second"),
        (("plot", "small", "--output", "curves.gif"), "a picture is SVG or PNG"),
    ],
)
def test_what_cannot_be_done_is_said(ftctl: Cli, run: RunDir, arguments: tuple[str, ...], said: str) -> None:
    answer = ftctl(*arguments, env={"FTCTL_JUDGE_PYTHON": sys.executable}, code=2)
    assert said in answer.err


def test_the_numbers_of_curves_need_no_environment(ftctl: Cli, run: RunDir) -> None:
    data = ftctl("plot", run.path, "-m", "loss", "-m", "eval_loss", "--smooth", "3", "--json", code=0).data
    loss, evaluation = data["series"]
    assert (loss["run"], loss["name"], loss["metric"]) == (run.path.name, "small", "loss")
    assert loss["x"] == list(range(1, 41))
    assert loss["smoothed"][1] == pytest.approx((4 + 2 + 4 / 3) / 3)
    assert evaluation["x"] == [10, 20, 30, 40]
    assert json.dumps(data).count("NaN") == 0
