"""What a report says of a run, and that nothing of data or models is more than text in it."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ftctl.report.build import report
from ftctl.report.html import page
from ftctl.report.markdown import document
from ftctl.report.measured import Measure, Value
from ftctl.report.model import Report
from ftctl.report.records import read
from ftctl.report.words import figure, signed
from ftctl.run.directory import RunDir
from tests.reported import BEGAN, HOSTILE, evaluated, run_in, served, trained


class Seen(HTMLParser):
    """The elements of a page and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.fetched: list[str] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.fetched += [f"{name}={value}" for name, value in attrs if name in ("src", "href", "srcset")]

    def handle_data(self, data: str) -> None:
        self.words += data


def built(run: RunDir, examples: int = 12, home: str = "") -> Report:
    return report(read(run.path, examples=examples), now=BEGAN + 10_000, version="0", home=home)


def html(made: Report) -> str:
    return page(made, {}, "body {}")


@pytest.fixture
def whole(tmp_path: Path) -> RunDir:
    """A run that was resumed, served, evaluated beside its base, and missed its gate."""
    run = run_in(tmp_path / "runs")
    trained(run, resumed=True)
    served(run)
    evaluated(run)
    return run


def test_the_summary_has_verdict_and_base_to_tuned(whole: RunDir) -> None:
    made = built(whole)
    assert [badge.text for badge in made.badges] == ["succeeded", "gate not met", "served as trained"]
    tiles = {tile.label: (tile.value, tile.detail, tile.tone) for tile in made.tiles}
    assert tiles["exact_match"] == ("0.850", "base 0.100, +0.750 [+0.600, +0.900]", "good")
    assert tiles["Training loss"] == ("0.100", "from 4.000", "plain")
    assert tiles["Training time"] == ("1:20", "1,021 tokens/s", "plain")
    assert "latency_p50" not in tiles
    assert (
        made.lead == "base, trained with llamafactory (sft, full) on 80 rows, on the CPU: 40 steps in 1:20."
    )


def test_every_part_of_a_whole_run_is_there(whole: RunDir) -> None:
    made = built(whole)
    assert [section.name for section in made.sections] == [
        "gate", "figures", "examples", "training", "cost", "job", "derived", "data", "attempts",
        "checkpoints", "served", "origin",
    ]  # fmt: skip
    assert made.left_out == ()
    words = Seen(html(made)).words
    for told in (
        "The gate is not met: 1 rule missed.",
        "−0.050",
        "0.850 [0.800, 0.900]",
        "16 / 1 / 3",
        "tuned: 19 of 20 questions answered; 1 without an answer, which count as the worst; "
        "2 cut at the longest answer.",
        "latency_p50 (lower is better)",
        "tuned: perplexity is missing: the server gives no probabilities",
        "base: said of base",
        "its supervisor died",
        "The server sees the same tokens as the training in 100 % of 9 conversations.",
        "it trains language models",
        "0" * 64,
        "name: small",
    ):
        assert told in words.replace("\u200b", ""), told


def test_a_note_on_every_evaluation_is_told_once(whole: RunDir) -> None:
    words = Seen(html(built(whole))).words
    assert words.count("20 rows are few") == 1
    assert ": 20 rows are few" not in words


def test_the_parts_of_a_split_have_their_counts_and_hashes(whole: RunDir) -> None:
    parts = {"test": {"rows": 9, "sha256": "a" * 64}, "train": {"rows": 71, "sha256": "b" * 64}}
    whole.write_json("data/split.json", {"version": 1, "seed": 42, "parts": parts})
    told = document(built(whole), {})
    assert "| part (seed 42) | rows | sha256 of its rows |" in told
    assert f"| train | 71 | {'b' * 64} |\n| test | 9 | {'a' * 64} |" in told


def test_what_a_run_does_not_have_is_left_out_in_one_line(tmp_path: Path) -> None:
    run = run_in(tmp_path / "runs")
    made = built(run)
    words = Seen(html(made)).words
    line = next(line for line in words.splitlines() if line.startswith("Not in this report: "))
    for part in ("a gate's verdict", "figures", "examples", "curves", "checkpoints", "serving and parity"):
        assert part in line
    assert "pending, so far" in words  # this process, which made it, could still start it


def test_a_model_s_output_is_text_and_nothing_else(whole: RunDir) -> None:
    text = html(built(whole))
    seen = Seen(text)
    assert "<script>alert(1)</script> </pre> [x](javascript:1)" in seen.words
    assert "script" not in seen.tags
    assert "b" not in seen.tags
    assert "⟨U+202E⟩gnp.exe ⟨U+D800⟩ 好的" in seen.words
    assert "␛[31m" in seen.words
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e]", text)
    assert all(link.startswith("href=#") for link in seen.fetched)
    assert "default-src 'none'" in text
    text.encode()  # halves of surrogate pairs could not be


def test_markdown_has_no_markup_of_data_either(whole: RunDir) -> None:
    text = document(built(whole), {"loss": "report-charts/loss.svg"})
    outside = re.sub(r"(?ms)^(`{3,})text$.*?^\1$", "", text)
    assert "<script" not in outside
    assert "![Loss](report-charts/loss.svg)" in outside
    assert "| exact_match | 0.100 [0.050, 0.150] | 0.850 [0.800, 0.900] |" in unescape(outside)
    assert "\u202e" not in text
    text.encode()


def test_a_fence_is_longer_than_any_in_the_text(tmp_path: Path) -> None:
    run = run_in(tmp_path / "runs")
    evaluated(run, hostile="````\n# out\n````")
    assert "\n`````text\n````\n# out\n````\n`````\n" in document(built(run), {})


def test_examples_are_those_that_changed_most_and_errors_are_said(whole: RunDir) -> None:
    first, second = next(section for section in built(whole).sections if section.name == "examples").blocks
    assert (first.title, second.title) == ("test.jsonl:2", "test.jsonl:1")  # type: ignore[union-attr] # examples
    assert [(column.title, column.text, column.scores) for column in first.columns] == [  # type: ignore[union-attr] # as above
        ("reference", "A tool.", ()),
        ("base", "nothing", ("exact_match 0.000",)),
        ("tuned", "A tool.", ("exact_match 1.000",)),
    ]
    assert second.columns[2].text == HOSTILE  # type: ignore[union-attr] # the last line of an id counts
    assert "examples" in "; ".join(built(whole, examples=0).left_out)


def test_paths_are_written_from_the_project_or_the_home(tmp_path: Path) -> None:
    run = run_in(tmp_path / "project" / "runs")
    identity = json.loads((run.path / "run.json").read_text())
    run.write_json("run.json", {**identity, "job_file": str(tmp_path / "project" / "jobs" / "job.yaml")})
    words = html(built(run, home=str(tmp_path)))
    assert str(tmp_path) not in words
    assert f"runs/<wbr>small/<wbr>{run.path.name}" in words
    assert "~" not in words
    run.write_json("run.json", {**identity, "job_file": "/jobs/job.yaml"})
    assert f"~/<wbr>project/<wbr>runs/<wbr>small/<wbr>{run.path.name}" in html(built(run, home=str(tmp_path)))


def test_a_failed_run_says_why_on_top(tmp_path: Path) -> None:
    run = run_in(tmp_path / "runs")
    trained(run, 3)
    message = {"message": "the loss is nan", "remedy": "lower the learning rate", "diagnosis": "diverged"}
    run.emit("run", {"state": "failed", "exit_code": 1, **message})
    run.write_json("exit.json", {"state": "FAILED", "exit_code": 1, "ended": BEGAN + 50, **message})
    made = built(run)
    assert made.badges[0].tone == "bad"
    assert made.summary[0].text == "the loss is nan (diagnosis: diverged). lower the learning rate"  # type: ignore[union-attr] # a note


def test_a_broken_record_is_left_out(whole: RunDir) -> None:
    for name in ("plan.json", "verdict.json", "evaluations/tuned/figures.json"):
        (whole.path / name).write_text('{"version": 9, "tuned": 3, "figures": {}, "rules": "none"}')
    made = built(whole)
    assert "the job" not in made.left_out  # its text is still there
    assert any(part.startswith("what was derived") for part in made.left_out)
    assert html(made).endswith("</html>\n")


def test_a_gain_that_may_be_none_is_not_shown_as_one() -> None:
    sure = Measure("f1", "f1", "higher", Value(0.6), Value(0.5), Value(0.1, 0.05, 0.15))
    assert sure.gained is True
    assert replace(sure, difference=Value(0.1, -0.02, 0.2)).gained is None
    assert replace(sure, better="lower").gained is False
    assert replace(sure, difference=Value(0.1)).gained is True
    assert replace(sure, difference=None).gained is None


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.8512, "0.851"), (12.345, "12.35"), (123.45, "123.5"), (1234.5, "1,234"), (0.0, "0.000"),
     (0.00712, "0.00712"), (3.2e-5, "3.20e-05"), (math.nan, "–"), (None, "–"), (0.05, "0.050")],
)  # fmt: skip
def test_figures_have_the_digits_that_matter(value: float | None, shown: str) -> None:
    assert figure(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(0.1, "+0.100"), (-0.1, "−0.100"), (0.0, "±0.000"), (None, "–")]
)
def test_a_difference_has_a_sign(value: float | None, shown: str) -> None:
    assert signed(value) == shown
