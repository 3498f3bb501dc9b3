"""A language model is evaluated: with its run, by itself, after a kill, and by a server that fails.

The dummy answers, whose words are known; test_train.py has the same by real engines.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Answer, Cli, cli_in
from tests.waiting import until

pytestmark = pytest.mark.engine

ROWS = 24
HEARD = "[ftctl dummy] heard: "


@pytest.fixture(scope="module")
def cli(judge_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    """A home of its own, with rows to train on and questions, of every other of which the answer is known."""
    cli = cli_in(tmp_path_factory.mktemp("evaluate"))
    rows = [{"instruction": f"Train {number}?", "output": "Yes."} for number in range(8)]
    asked = [
        {
            "instruction": f"Question {number}?",
            "output": f"{HEARD}Question {number}?" if number % 2 else "No.",
        }
        for number in range(ROWS)
    ]
    for name, content in (("train", rows), ("test", asked)):
        text = "".join(json.dumps(row) + "\n" for row in content)
        (cli.cwd / f"{name}.jsonl").write_text(text)
    yield cli
    cli("stop", "--all", timeout=60)


def job(cli: Cli, name: str, *, native: dict[str, Any] | None = None, **evaluate: Any) -> Path:
    document = {
        "name": name, "model": "any/model", "data": {"train": "train.jsonl", "test": "test.jsonl"},
        "train": {"engine": "dummy", "epochs": 1}, "deploy": {"engine": "dummy", "native": native or {}},
        "evaluate": evaluate,
    }  # fmt: skip
    (cli.cwd / f"{name}.yaml").write_text(json.dumps(document))
    return cli.cwd / f"{name}.yaml"


def train(cli: Cli, name: str, code: int, **more: Any) -> tuple[Answer, Path]:
    answer = cli("train", job(cli, name, **more), "--json", timeout=120, code=code)
    return answer, Path(answer.data["run"])


def predictions(folder: Path) -> dict[str, dict[str, Any]]:
    lines = map(json.loads, (folder / "predictions.jsonl").read_text().splitlines())
    return {line["id"]: line for line in lines}


@pytest.fixture(scope="module")
def evaluated(cli: Cli) -> tuple[Answer, Path]:
    """A run that met its gate; its deployment runs."""
    return train(cli, "good", 0, compare="base", gate={"exact_match": ">= 0.4", "latency_p99": "<= 60"})


def test_a_run_serves_its_base_then_itself_and_meets_its_gate(
    cli: Cli, evaluated: tuple[Answer, Path]
) -> None:
    answer, run = evaluated
    events = [json.loads(line) for line in answer.out.splitlines()[:-1]]
    done = [event["name"] for event in events if event["event"] == "phase" and event["state"] == "done"]
    assert done[-3:] == ["evaluate base", "serve", "evaluate"]
    found = answer.data["evaluation"]
    assert found["answers"] == {"asked": ROWS, "answered": ROWS, "errors": 0, "empty": 0, "cut": 0}
    assert (found["tuned"]["exact_match"], found["base"]["exact_match"]) == (0.5, 0.5)
    assert found["difference"]["exact_match"] == 0
    assert found["figures"]["exact_match"]["low"] < 0.5 < found["figures"]["exact_match"]["high"]
    assert answer.data["verdict"]["met"] is True
    pairs = json.loads((run / "evaluations" / "comparison.json").read_text())
    assert pairs["paired"]["exact_match"]["ties"] == ROWS
    assert len(predictions(run / "evaluations" / "tuned")) == ROWS
    (listed,) = [one for one in cli("runs", "--json", code=0).data["runs"] if one["id"] == run.name]
    assert listed["evaluation"]["tuned"]["exact_match"] == 0.5
    assert [one["name"] for one in cli("ps", "--json", code=0).data["deployments"]] == ["good"]


def test_another_run_takes_the_bases_answers(cli: Cli, evaluated: tuple[Answer, Path]) -> None:
    """They follow from the very same files, questions and settings; the seconds of asking stay."""
    _, run = evaluated
    before = json.loads((run / "evaluations" / "base" / "request.json").read_text())
    cli("stop", "good", code=0)
    _, other = train(cli, "good", 0, compare="base", gate={})
    request = json.loads((other / "evaluations" / "base" / "request.json").read_text())
    assert (request["reused_from"], request["seconds"]) == (run.name, before["seconds"])


def test_a_gate_that_is_not_met_stops_the_deployment(cli: Cli) -> None:
    answer, run = train(cli, "bad", 3, gate={"exact_match": ">= 0.9"})
    assert answer.data["state"] == "FAILED"
    assert "exact_match is 0.500, 0.400 short" in answer.envelope["error"]["message"]
    assert json.loads((run / "verdict.json").read_text())["met"] is False
    assert "bad" not in [one["name"] for one in cli("ps", "--json", code=0).data["deployments"]]


def test_a_server_that_fails_half_the_time_is_no_better_and_ends_with_1(cli: Cli) -> None:
    asked = {"retries": 0, "concurrency": 1, "metrics": ["exact_match", "contains"]}
    answer, run = train(cli, "failing", 1, native={"error_every": 2}, **asked)
    assert f"12 of {ROWS} questions got no answer" in answer.envelope["error"]["message"]
    found = answer.data["evaluation"]
    assert (found["answers"]["errors"], found["answers"]["answered"]) == (12, 12)
    assert found["tuned"]["exact_match"] <= 0.5
    kept = predictions(run / "evaluations" / "tuned").values()
    right = sum(line["prediction"] == line["reference"] for line in kept)
    assert found["tuned"]["exact_match"] == right / ROWS
    allowed = cli(
        "evaluate", "failing", "--set", "max_errors=0.5", "--limit", "8", "--json", code=0, timeout=60
    )
    assert allowed.data["answers"]["errors"] == 4
    cli("stop", "failing", code=0)


def test_killed_half_way_it_asks_what_is_missing_and_counts_the_same(
    cli: Cli, evaluated: tuple[Answer, Path], tmp_path: Path
) -> None:
    _, run = evaluated
    (cli.cwd / "slow.yaml").write_text(json.dumps({
        "name": "slow", "model": str(run / "merged"), "data": {"test": "test.jsonl"},
        "deploy": {"engine": "dummy", "native": {"seconds_per_token": 0.05}},
        "evaluate": {"concurrency": 2, "metrics": ["exact_match", "f1"]},
    }))  # fmt: skip
    place = tmp_path / "kept"
    argv = cli.argv("evaluate", "slow.yaml", "--output", place)
    file = place / "tuned" / "predictions.jsonl"
    with subprocess.Popen(argv, cwd=cli.cwd, env=cli.environment, stderr=subprocess.DEVNULL) as child:
        until(lambda: child.poll() is not None or (file.is_file() and file.read_text().count("\n") >= 4))
        child.kill()
    for left in cli("ps", "--json", code=0).data["deployments"]:  # it is an ordinary one, and shows
        cli("stop", left["name"], code=0)
    half = {name: line for name, line in predictions(place / "tuned").items() if line["error"] is None}
    assert 4 <= len(half) < ROWS
    again = cli("evaluate", "slow.yaml", "--output", place, "--json", timeout=60, code=0)
    assert again.data["answers"]["answered"] == ROWS
    kept = predictions(place / "tuned")
    assert all(kept[name] == line for name, line in half.items())
    whole = cli("evaluate", "slow.yaml", "--output", tmp_path / "whole", "--json", timeout=60, code=0)
    for name in ("exact_match", "f1"):
        assert again.data["figures"][name] == whole.data["figures"][name]
    job = cli.cwd / "slow.yaml"
    job.write_text(job.read_text().replace('"seconds_per_token": 0.05', '"fail_to_start": "no room"'))
    once_more = cli("evaluate", "slow.yaml", "--output", place, "--json", timeout=60, code=0)
    assert once_more.data["figures"] == again.data["figures"]  # nothing is left to ask: nothing is served
    assert "no room" in cli("evaluate", "slow.yaml", "--output", tmp_path / "new", timeout=60, code=1).err


def test_ended_by_hand_it_says_what_is_kept(cli: Cli, evaluated: tuple[Answer, Path], tmp_path: Path) -> None:
    slow = {"engine": "dummy", "native": {"seconds_per_token": 0.5}}
    document = {"name": "ended", "model": str(evaluated[1] / "merged"), "data": {"test": "test.jsonl"}}
    (cli.cwd / "ended.yaml").write_text(
        json.dumps({**document, "deploy": slow, "evaluate": {"concurrency": 1}})
    )
    argv = cli.argv("evaluate", "ended.yaml", "--output", tmp_path / "kept")
    file = tmp_path / "kept" / "tuned" / "predictions.jsonl"
    with subprocess.Popen(
        argv, cwd=cli.cwd, env=cli.environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as child:
        until(lambda: child.poll() is not None or (file.is_file() and file.read_text().count("\n") >= 1))
        os.killpg(child.pid, signal.SIGINT)
        said = child.communicate()[1]
    assert child.returncode == 130, said
    assert "ended early; the answers so far are kept" in said
    assert "the same command goes on" in said
    names = [one["name"] for one in cli("ps", "--json", code=0).data["deployments"]]
    assert not [name for name in names if name.startswith("ended")]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing"], "nothing is no run, model folder or job file"),
        (["test.jsonl"], "is no job file"),
        (["good", "--set", "sampling.temprature=1"], "did you mean temperature?"),
        (["good", "--metrics", "exact_mach"], "did you mean exact_match?"),
        (["good", "--data", "gone.jsonl"], "there is no file"),
        (["good", "--compare", "nothing"], "there is no run called nothing"),
        (["good", "--limit", "1", "--output", "test.jsonl"], "test.jsonl: cannot be written: File exists"),
    ],
)
def test_what_cannot_be_evaluated_is_said(
    cli: Cli, evaluated: tuple[Answer, Path], arguments: list[str], words: str
) -> None:
    answer = cli("evaluate", *arguments, code=2)
    assert words in answer.err
