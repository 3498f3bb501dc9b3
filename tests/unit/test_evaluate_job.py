"""The evaluate block: read with its defaults, checked before anything runs, and shown in the plan."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ftctl.errors import JobError
from ftctl.facts.asked import Asked
from ftctl.job.load import load
from ftctl.job.model import GREEDY, Evaluate
from ftctl.judge.evaluate import wanted_of
from ftctl.judge.subject import asked_block
from ftctl.plan.judging import phases
from ftctl.plan.model import Plan
from ftctl.prepare import prepare
from ftctl.record import from_record, to_record

ENVIRON = {"HOME": "/nowhere", "PATH": "/usr/bin"}
ROW = {"instruction": "Why?", "output": "So."}


def job(folder: Path, /, test: list[dict[str, Any]] | None = None, **evaluate: Any) -> Path:
    """A dummy's job with this block; `test` are the rows of its test.jsonl."""
    rows = [{"instruction": f"Which is {number}?", "output": "That."} for number in range(4)]
    for name, content in (("train", rows), ("test", [ROW] if test is None else test)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in content))
    document = {
        "name": "judged", "model": "any/model", "data": {"train": "train.jsonl", "test": "test.jsonl"},
        "train": {"engine": "dummy"}, "deploy": {}, "evaluate": evaluate,
    }  # fmt: skip
    (folder / "job.yaml").write_text(json.dumps(document))
    return folder / "job.yaml"


def planned(file: Path, environ: dict[str, str] = ENVIRON) -> Plan:
    return prepare(load(file, environ=environ), environ=environ, asked=Asked(), runs=file.parent)


def problems(file: Path, environ: dict[str, str] = ENVIRON) -> list[tuple[str, str]]:
    with pytest.raises(JobError) as caught:
        planned(file, environ)
    return [(problem.key, problem.message) for problem in caught.value.problems]


def test_what_a_block_says_and_what_it_leaves_out(tmp_path: Path) -> None:
    asked = [{"json_schema": {"file": "s.json"}}, {"python": {"function": "check.py:ok"}}, "f1"]
    block = load(job(tmp_path, metrics=asked, sampling={"max_tokens": 9, "stop": ["."]}, timeout=5)).evaluate
    assert block is not None
    assert block.metrics == (
        {"json_schema": {"file": str(tmp_path / "s.json")}},
        {"python": {"function": f"{tmp_path}/check.py:ok"}},
        {"f1": {}},
    )
    assert block.sampling == {**GREEDY, "max_tokens": 9, "stop": (".",)}
    assert (block.timeout, block.concurrency, block.retries, block.max_errors) == (5.0, 16, 3, 0.0)
    assert to_record(from_record(Evaluate, to_record(block))) == to_record(block)


def test_the_questions_are_those_of_data_test_unless_it_names_others(tmp_path: Path) -> None:
    wanted = wanted_of(load(job(tmp_path)))
    assert wanted is not None and [one.path.name for one in wanted.files] == ["test.jsonl"]
    (tmp_path / "other.jsonl").write_text(json.dumps(ROW) + "\n")
    wanted = wanted_of(load(job(tmp_path, data={"path": "other.jsonl", "max_samples": 3})))
    assert wanted is not None and [one.path.name for one in wanted.files] == ["other.jsonl"]


def test_the_plan_shows_what_will_be_asked(tmp_path: Path) -> None:
    plan = planned(job(tmp_path, compare="base", metrics=["exact_match", {"rouge": {"tokenizer": "zh"}}]))
    told = {choice.key: choice.value for choice in plan.choices if choice.key.startswith("evaluate")}
    assert told == {
        "evaluate.data": "1 questions", "evaluate.metrics": "exact_match, rouge",
        "evaluate.sampling": "greedy", "evaluate.compare": "base",
    }  # fmt: skip
    assert plan.facts.judge is not None and plan.facts.judge.name == "judge"
    assert phases(plan) == ("evaluate base", "serve", "evaluate")
    assert phases(planned(job(tmp_path))) == ("serve", "evaluate")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("def ok(*_): return 1", False),
        ("from other import one as ok", False),
        ("from other import *", False),
        ("ok = lambda *_: 1", False),
        ("a newer syntax", False),
        ("def okay(*_): return 1", True),
    ],
)
def test_a_function_that_a_file_cannot_have_is_found_before(tmp_path: Path, text: str, told: bool) -> None:
    (tmp_path / "check.py").write_text(text)
    file = job(tmp_path, metrics=[{"python": {"function": "check.py:ok"}}])
    if told:
        key = "evaluate.metrics[0].python.function"
        assert problems(file) == [(key, f"{tmp_path}/check.py has no function ok")]
    else:
        assert planned(file).facts.judge is not None


def test_what_would_fail_after_hours_is_found_before(tmp_path: Path) -> None:
    metrics: list[Any] = [
        {"json_schema": {"file": "gone.json"}},
        {"judge": {"model": "m", "base_url": "http://h/v1", "rubric": "r.md", "api_key": "${env:UNSET_KEY}"}},
        "perplexity",
    ]
    found = problems(job(tmp_path, metrics=metrics))
    assert dict(found) == {
        "evaluate.metrics[0].json_schema.file": f"there is no file {tmp_path}/gone.json",
        "evaluate.metrics[1].judge.rubric": f"there is no file {tmp_path}/r.md",
        "evaluate.metrics[1].judge.api_key": "the environment variable UNSET_KEY is not set",
        "evaluate.metrics": "perplexity needs the log-probabilities of prompts, which dummy does not tell",
    }


def test_bad_rows_are_found_with_their_lines(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [ROW, {"instruction": 5}, {**ROW, "images": ["a.png"]}]
    assert problems(job(tmp_path, rows)) == [
        ("", '"instruction" must be text, this is a number'),
        ("", 'it has "images", and questions are text alone'),
    ]


def test_questions_without_a_reference_are_a_warning_and_none_at_all_an_error(tmp_path: Path) -> None:
    bare = {"instruction": "And?"}
    (warning,) = planned(job(tmp_path, [ROW, bare])).warnings
    assert (warning.key, warning.level) == ("data.test", "warning")
    assert warning.message == "1 of 2 questions have no reference: exact_match leaves them out"
    assert problems(job(tmp_path, [bare])) == [
        ("data.test", "none of the 1 questions has a reference, and exact_match needs one")
    ]
    assert planned(job(tmp_path, [bare], metrics=["json_valid"])).warnings == ()


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("sampling.temperature=0.5", "sampling", {"max_tokens": 9, "temperature": 0.5, "seed": 0}),
        ("evaluate.concurrency=3", "concurrency", 3),
        ("metrics=[f1]", "metrics", ({"f1": {}},)),
        ("compare=base", "compare", "base"),
    ],
)
def test_options_replace_parts_of_the_block(override: str, key: str, value: object) -> None:
    block = Evaluate(sampling={"temperature": 0.0, "max_tokens": 9, "seed": 0}, concurrency=2)
    changed = asked_block(block, [override])
    assert getattr(changed, key) == value
    assert changed.retries == block.retries


def test_a_path_of_an_option_begins_in_this_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "q.jsonl").write_text(json.dumps(ROW))
    (dataset,) = asked_block(Evaluate(), ["data=q.jsonl"]).data
    assert dataset.path == tmp_path / "q.jsonl"


def test_a_wrong_option_says_which(tmp_path: Path) -> None:
    with pytest.raises(JobError, match=r"--set.*did you mean temperature"):
        asked_block(Evaluate(), ["sampling.temprature=1"])


def test_seconds_per_token_is_no_secret(tmp_path: Path) -> None:
    loaded = load(job(tmp_path), ("deploy.native.seconds_per_token=0.1",))
    assert loaded.deploy is not None and loaded.deploy.native["seconds_per_token"] == 0.1
