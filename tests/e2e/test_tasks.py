"""Tasks of the real lm-evaluation-harness, offline: against real vLLM, and in runs of the dummy."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ftctl.judge.ask_tasks import PROGRAM
from tests.conftest import Answer, Cli
from tests.e2e.conftest import Served

pytestmark = pytest.mark.engine
CAPITALS = {"France": "Paris", "Italy": "Rome", "Japan": "Tokyo", "Peru": "Lima"}
TASK = """\
task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: capitals.jsonl}}}}
test_split: test
output_type: {kind}
doc_to_text: "The capital of {{{{country}}}} is"
doc_to_target: {target}
{more}
metric_list: [{{metric: {metric}, aggregation: mean, higher_is_better: true}}]
metadata: {{version: {version}}}
"""
JOB = """\
name: judged
model: any/model
data: {train: rows.jsonl}
train: {engine: dummy, epochs: 1, native: {seconds_per_step: 0}}
deploy: {engine: dummy}
evaluate:
  tasks: [{task: capitals, include: tasks/}]
  gate: {capitals/exact_match: ">= 0.5"}
"""


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two tasks over one file: one generates, one chooses."""
    folder = tmp_path_factory.mktemp("tasks") / "tasks"
    folder.mkdir()
    rows = [{"country": country, "capital": capital} for country, capital in CAPITALS.items()]
    (folder / "capitals.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    generated = TASK.format(
        name="capitals", kind="generate_until", target="capital", metric="exact_match", version=2,
        more="generation_kwargs: {until: [], max_gen_toks: 8}",
    )  # fmt: skip
    chosen = TASK.format(
        name="choices", kind="multiple_choice", target="capital", metric="acc", version=1,
        more=f"doc_to_choice: {[*CAPITALS.values()]}",
    )  # fmt: skip
    (folder / "capitals.yaml").write_text(generated)
    (folder / "choices.yaml").write_text(chosen)
    return folder


@pytest.fixture
def offline(tmp_path: Path, lm_eval_python: Path) -> dict[str, str]:
    """An environment in which nothing can be fetched."""
    return {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf")}


def asked(served: Served, tasks: Path, offline: dict[str, str], *more: str) -> Answer:
    own = f"tasks=[{{task: choices, include: {tasks}, fewshot: 1}}, {{include: {tasks}, task: capitals}}]"
    return served.cli("evaluate", "tiny", "--set", own, "--output", tasks.parent / "out", "--json", *more,
                      env=offline, timeout=200)  # fmt: skip


def test_a_deployment_is_asked_by_chat_and_by_likelihood(
    served: Served, tasks: Path, offline: dict[str, str]
) -> None:
    first = asked(served, tasks, offline)
    assert first.code == 0, first.err
    figures = first.data["figures"]
    assert {name: one["rows"] for name, one in figures.items()} == {
        "choices/acc": 4,
        "capitals/exact_match": 4,
    }
    generated, chosen = figures["capitals/exact_match"], figures["choices/acc"]
    assert generated["library"] == chosen["library"] == "lm-eval 0.4.13"
    assert (generated["value"], generated["low"]) == (0.0, 0.0) and 0.4 < generated["high"] < 0.5
    assert (generated["options"]["api"], generated["options"]["version"]) == ("chat", 2)
    assert (chosen["options"]["api"], chosen["options"]["fewshot"]) == ("completions", 1)
    assert chosen["value"] in (0.0, 0.25, 0.5, 0.75, 1.0) and len(chosen["options"]["hash"]) == 64
    (result,) = (tasks.parent / "out" / "tuned").glob("task-choices-*.json")
    samples = json.loads(result.read_text())["samples"]
    assert [len(one["answer"]) for one in samples] == [4, 4, 4, 4]  # a likelihood for each choice
    key = served.key
    assert not any(key in path.read_text() for path in (tasks.parent / "out").rglob("*") if path.is_file())

    made = result.stat().st_mtime_ns
    assert asked(served, tasks, offline).data["figures"] == figures
    assert result.stat().st_mtime_ns == made  # nothing is asked again


def test_a_task_that_cannot_be_asked_has_no_figure_and_fails(
    served: Served, tasks: Path, offline: dict[str, str], tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for file in tasks.iterdir():
        (broken / file.name).write_text(file.read_text())
    (broken / "choices.yaml").write_text(
        (broken / "choices.yaml").read_text().replace("capitals.jsonl", "no.jsonl")
    )
    out = tmp_path / "out"
    own = f"tasks=[{{task: capitals, include: {broken}}}, {{task: choices, include: {broken}}}]"
    answer = served.cli("evaluate", "tiny", "--set", own, "--output", out, env=offline, timeout=200, code=1)
    assert "no.jsonl" in answer.err
    found = json.loads((out / "tuned" / "figures.json").read_text())
    assert [*found["figures"]] == ["capitals/exact_match"] and "no.jsonl" in found["missing"]["choices"]


def test_a_run_is_held_against_the_figure_of_a_task(
    ftctl: Cli, tasks: Path, offline: dict[str, str], judge_python: Path
) -> None:
    (ftctl.cwd / "tasks").symlink_to(tasks)
    (ftctl.cwd / "rows.jsonl").write_text(json.dumps({"instruction": "a", "output": "b"}) + "\n")
    (ftctl.cwd / "job.yaml").write_text(JOB)
    try:
        answer = ftctl("train", "job.yaml", env=offline, timeout=200, code=3)
        assert "capitals/exact_match" in answer.err
    finally:
        ftctl("stop", "--all", timeout=60)
    (verdict,) = (ftctl.cwd / "runs").glob("*/*/verdict.json")
    (told,) = json.loads(verdict.read_text())["rules"]
    assert (told["metric"], told["value"], told["met"]) == ("capitals/exact_match", 0.0, False)


class Slow(BaseHTTPRequestHandler):
    """A server that says how much it takes, and lets every question wait."""

    asked = threading.Event()

    def do_GET(self) -> None:
        body = json.dumps({"data": [{"id": "slow", "max_model_len": 512}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.asked.set()
        time.sleep(60)

    def log_message(self, *words: object) -> None:
        return None


def test_the_program_ends_with_who_started_it(
    tasks: Path, offline: dict[str, str], lm_eval_python: Path, tmp_path: Path
) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    entry = {"name": "capitals", "task": "capitals", "include": str(tasks), "fewshot": None, "limit": None}
    request = {
        "address": f"http://127.0.0.1:{server.server_port}", "model": "slow", "tokenizer": "", "ca": None,
        "system": None, "concurrency": 2, "retries": 0, "timeout": 60, "max_length": None,
        "entries": [{**entry, "output": str(tmp_path / "result.json")}],
    }  # fmt: skip
    (tmp_path / "request.json").write_text(json.dumps(request))
    with open(tmp_path / "said", "w") as said:
        program = subprocess.Popen(
            [lm_eval_python, PROGRAM, tmp_path / "request.json"],
            env={**os.environ, **offline}, stdin=subprocess.PIPE, stdout=said, stderr=said, cwd=tmp_path,
        )  # fmt: skip
    try:
        assert Slow.asked.wait(120), (tmp_path / "said").read_text()
        assert program.stdin is not None
        program.stdin.close()  # as the kernel does when its starter is killed
        assert program.wait(30) == 1
    finally:
        program.kill()
        program.wait()
        server.shutdown()
        server.server_close()
