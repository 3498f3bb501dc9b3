"""Tasks of lm-evaluation-harness: how a job writes them, what their figures are, and what is asked again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ftctl.errors import FtctlError
from ftctl.job.load import draft
from ftctl.job.model import Evaluate
from ftctl.judge.ask_tasks import add, content, done
from ftctl.judge.evaluate import FIGURES, read, write
from ftctl.judge.tasks import figures_of, interval, matches, name_of, output_of
from tests.conftest import Cli

JOB = "name: n\nmodel: any/model\ndeploy: {}\nevaluate:\n"
RESULT: dict[str, Any] = {
    "results": {
        "sums": {"name": "sums", "alias": "sums", "exact_match,strict": 0.5, "exact_match_stderr,strict": 0.1,
                 "exact_match,loose": 1.0, "exact_match_stderr,loose": 0.0},
        "words": {"perplexity,none": 12.5, "perplexity_stderr,none": "N/A", "bits,none": float("nan")},
    },
    "groups": {"all": {"acc,none": 0.25, "acc_stderr,none": 0.2}},
    "higher_is_better": {"sums": {"exact_match": True}, "words": {"perplexity": False}},
    "n-samples": {"sums": {"original": 80, "effective": 40}, "words": {"original": 10, "effective": 10}},
    "n-shot": {"sums": 5, "words": 0},
    "versions": {"sums": 3.0},
    "hashes": {"sums": "abc", "words": "def"},
    "api": {"sums": "chat", "words": "completions"},
    "lm_eval": "0.4.13",
}  # fmt: skip


def evaluation(folder: Path, block: str) -> tuple[Evaluate | None, list[str]]:
    """The evaluate block of a job, and what is wrong with the job."""
    (folder / "job.yaml").write_text(JOB + block)
    found = draft(folder / "job.yaml", ())
    return found.job.evaluate, [f"{one.key}: {one.message}" for one in found.problems]


def test_how_a_job_writes_tasks(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    block, wrong = evaluation(
        tmp_path, "  tasks: [gsm8k, own/, {task: sums, include: own, fewshot: 2, limit: 10}]\n"
    )
    own = str(tmp_path / "own")
    assert not wrong and block is not None
    assert block.tasks == (
        {"task": "gsm8k", "include": None, "fewshot": None, "limit": None},
        {"task": None, "include": own, "fewshot": None, "limit": None},
        {"task": "sums", "include": own, "fewshot": 2, "limit": 10},
    )
    assert [name_of(task) for task in block.tasks] == ["gsm8k", "own", "sums"]


@pytest.mark.parametrize(
    ("block", "told"),
    [
        ("  tasks: [gone/]\n", "evaluate.tasks[0]: there is no folder "),
        ("  tasks: [{task: sums, include: gone}]\n", "evaluate.tasks[0].include: there is no folder "),
        ("  tasks: null\n", "evaluate.tasks: is empty"),
        ("  tasks: [{limit: 3}]\n", "evaluate.tasks[0]: names no task"),
        ("  tasks: [{task: sums, shots: 3}]\n", "evaluate.tasks[0].shots: shots is not a key of "),
        ("  tasks: [sums]\n  gate: {words/acc: '>= 0.5'}\n", "evaluate.gate.words/acc: there is no figure "),
        ("  tasks: [sums]\n  gate: {sums/acc.gain: '>= 0'}\n", "evaluate.gate.sums/acc.gain: is of a task"),
        ("  tasks: [sums]\n  gate: {sums/acc: '>= base'}\n", "evaluate.gate.sums/acc: stands by the base"),
    ],
)
def test_what_is_wrong_with_tasks(tmp_path: Path, block: str, told: str) -> None:
    _, wrong = evaluation(tmp_path, block)
    assert len(wrong) == 1 and wrong[0].startswith(told)


def test_tasks_and_their_gate_need_no_questions(tmp_path: Path) -> None:
    gate = "gate: {'sums/exact_match,strict': '>= 50 %', sums/acc.low: '>= 0.3', sums_hard/acc: '> base'}"
    assert evaluation(tmp_path, f"  tasks: [sums]\n  compare: base\n  {gate}\n")[1] == []


def test_a_figure_may_come_of_the_tasks_that_are_asked() -> None:
    assert matches("sums/acc", [{"task": "sums"}]) and matches("mmlu_law/acc", [{"task": "mmlu"}])
    assert matches("any/acc", [{"task": None}])
    assert not matches("sum/acc", [{"task": "sums"}]) and not matches("sums", [{"task": "sums"}])
    assert not matches("sums/acc", [])


def test_figures_are_those_of_the_result() -> None:
    found = figures_of(RESULT)
    assert [*found] == ["sums/exact_match,strict", "sums/exact_match,loose", "words/perplexity", "all/acc"]
    strict = found["sums/exact_match,strict"]
    assert (strict.value, strict.rows, strict.better, strict.library) == (0.5, 40, "higher", "lm-eval 0.4.13")
    assert (strict.low, strict.high) == pytest.approx((0.5 - 0.196, 0.5 + 0.196))
    assert strict.options == {"version": 3.0, "hash": "abc", "fewshot": 5, "filter": "strict", "api": "chat"}
    words = found["words/perplexity"]
    assert (words.better, words.low, words.high) == ("lower", None, None)
    assert found["all/acc"].rows == 50


def test_intervals_of_shares_stay_shares() -> None:
    assert interval("acc", 0.05, 0.05, 19) == pytest.approx((0.0, 0.148))
    # Wilson's interval of 10 of 10, by hand: 10 / (10 + 1.96²).
    assert interval("acc", 1.0, 0.0, 10) == pytest.approx((0.7225, 1.0), abs=1e-4)
    assert interval("acc", 0.0, 0.0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert interval("bleu", 40.0, 2.0, 10) == pytest.approx((36.08, 43.92))
    assert interval("bleu", 0.0, None, 10) == (None, None)


def test_a_result_is_of_one_task_its_files_and_one_model(tmp_path: Path) -> None:
    (tmp_path / "sums.yaml").write_text("task: sums")
    task = {"task": "sums", "include": str(tmp_path), "fewshot": None, "limit": None}
    before = content(str(tmp_path))
    known = output_of(task, before, {"hashes": {"a": "1"}}, None)
    assert known.startswith("task-sums-") and known == output_of(task, before, {"hashes": {"a": "1"}}, None)
    assert known != output_of({**task, "limit": 3}, before, {"hashes": {"a": "1"}}, None)
    assert known != output_of(task, before, {"hashes": {"a": "2"}}, None)
    assert known != output_of(task, before, {"hashes": {"a": "1"}}, "Be brief.")
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.pyc").write_text("")
    assert content(str(tmp_path)) == before
    (tmp_path / "sums.yaml").write_text("task: sums\ntag: x")
    assert content(str(tmp_path)) != before


def test_figures_of_tasks_stand_beside_those_of_questions(tmp_path: Path) -> None:
    own = {"value": 0.5, "low": 0.4, "high": 0.6, "rows": 10, "better": "higher", "library": "ftctl"}
    stale = {**own, "library": "lm-eval 0.4.12"}
    write(tmp_path / FIGURES, {"figures": {"exact_match": own, "gone/acc": stale}, "answers": {"asked": 10}})
    write(tmp_path / "task-sums.json", RESULT)
    places = {tmp_path / "task-sums.json": "sums", tmp_path / "task-more.json": "more"}
    add(tmp_path, places, FtctlError("the server is gone"))
    found = read(tmp_path / FIGURES)
    assert [*found["figures"]] == ["exact_match", *figures_of(RESULT)]
    assert found["missing"] == {"more": "the server is gone"} and found["answers"] == {"asked": 10}


def test_a_task_without_a_result_is_not_done(tmp_path: Path) -> None:
    task = {"task": "sums", "include": None, "fewshot": None, "limit": None}
    block, identity = Evaluate(tasks=(task,)), {"hashes": {"a": "1"}}
    assert not done(tmp_path, block, identity)
    write(tmp_path / output_of(task, "", identity, None), RESULT)
    assert done(tmp_path, block, identity) and not done(tmp_path, block, {"hashes": {"a": "2"}})


def test_validate_says_what_is_asked(ftctl: Cli) -> None:
    (ftctl.cwd / "job.yaml").write_text(JOB + "  tasks: [sums]\n")
    assert ftctl("validate", "job.yaml", code=0).err == ""
