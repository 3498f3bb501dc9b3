"""Trained templates against a real vLLM: what matches, what must fail, and the check before training.

A whole job with a template that ftctl mends, and an adapter's, are in test_train.py: they are served there.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ftctl.artifacts.chat_template import TRAINED
from ftctl.deployments.model import Deployment, Parity, Unlike
from ftctl.deployments.parity import check_parity
from ftctl.plan.model import ServePlan
from ftctl.process import ProcessId
from tests.conftest import ROOT, TRAIN_TIMEOUT, Cli, TrainedRun, demo_job
from tests.e2e.conftest import START_TIMEOUT, Served

pytestmark = pytest.mark.engine

PLAN = ServePlan("vllm", "tiny", "none", (), 1, "float32", 512)
TEMPLATES = ("qwen3_nothink", "llama3", "alpaca", "gemma")


@pytest.fixture(scope="module")
def trained(tiny_model: Path, llamafactory_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one of each template's name, in it what LLaMA-Factory trains by it on the tiny model."""
    folder = tmp_path_factory.mktemp("templates")
    program = Path(__file__).with_name("encode_templates.py")
    argv: list[str | Path] = [
        llamafactory_python,
        program,
        ROOT / "ftctl" / "inside",
        tiny_model,
        folder,
        *TEMPLATES,
    ]
    env = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def check(served: Served, folder: Path, then: str = "fail") -> Parity | None:
    """What the check of a deployment says of the shared server, which has the tiny model's own ChatML."""
    one = Deployment("tiny", "vllm", "tiny", served.url, ProcessId(1, 1, "boot"), 0.0, "/d", str(folder))
    return check_parity(one, PLAN, served.key, folder / "log", then=then)


def test_a_template_like_the_tokenizers_own_gives_the_same_tokens(served: Served, trained: Path) -> None:
    found = check(served, trained / "qwen3_nothink")
    assert found is not None
    assert (found.measure, found.count, found.differs) == ("tokens", 11, False)
    assert found.note == "with tools, which the data has none of, it sees other tokens"


def test_a_server_is_counted_by_as_well(served: Served, trained: Path) -> None:
    one = Deployment("tiny", "lmdeploy", "tiny", served.url, ProcessId(1, 1, "boot"), 0.0, "/d", str(trained))
    (trained / TRAINED).write_text((trained / "qwen3_nothink" / TRAINED).read_text())
    found = check_parity(one, replace(PLAN, engine="lmdeploy"), served.key, trained / "log")
    assert found is not None
    assert (found.figure, found.count) == (1.0, 9)
    (trained / TRAINED).write_text((trained / "llama3" / TRAINED).read_text())
    with pytest.raises(Unlike, match="tokens of it and"):
        check_parity(one, replace(PLAN, engine="lmdeploy"), served.key, trained / "log")


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("llama3", "from token 1 on, trained '<|start_header"),
        ("alpaca", "from token 1 on, trained 'Below is"),
        ("gemma", "from token 1 on, trained '<start_of"),
    ],
)
def test_another_template_must_fail(served: Served, trained: Path, template: str, words: str) -> None:
    with pytest.raises(Unlike) as caught:
        check(served, trained / template)
    assert words in caught.value.message
    assert "but served '<|im_start|>" in caught.value.message
    assert caught.value.parity.figure == 0.0
    known = json.loads((trained / template / TRAINED).read_text())
    assert known["source"] == ("saved" if template == "alpaca" else "template"), "what the artifact gets"
    going_on = check(served, trained / template, then="warn")
    assert going_on is not None
    assert going_on.differs


def test_a_server_that_is_given_another_template_is_stopped(
    trained_run: TrainedRun, vllm_python: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.jinja"
    other.write_text(
        "{% for message in messages %}[{{ message['role'] }}] {{ message['content'] }}{% endfor %}"
    )
    argv = ("deploy", trained_run.directory, "--name", "other", "--engine-python", vllm_python, "--json")
    words = ("--set", f"native.chat_template={other}", "--set", "max_length=512")
    answer = trained_run.cli(*argv, *words, timeout=START_TIMEOUT, code=1)
    error = answer.envelope["error"]
    assert "9 of 9 conversations differ" in error["message"]
    assert "trained '<|im_start|>user" in error["message"]
    assert "take chat_template out of deploy.native" in error["remedy"]
    rows = trained_run.cli("ps", "--all", "--json", code=0).data["deployments"]
    assert [row["state"] for row in rows if row["name"] == "other"] == ["failed"]


def tools_job(model: Path, folder: Path, name: str) -> Path:
    """Rows with tools, trained in Qwen's form on a model whose chat template has none."""
    row: dict[str, Any] = {
        "conversations": [{"from": "human", "value": "Tide?"}, {"from": "gpt", "value": "Low."}],
        "tools": json.dumps([{"name": "tide", "description": "", "parameters": {"properties": {}}}]),
    }
    (folder / "rows.jsonl").write_text(4 * (json.dumps(row) + "\n"))
    return demo_job(
        model,
        folder / "job.yaml",
        name=name,
        model={"path": str(model), "template": "qwen3_nothink"},
        data={"train": "rows.jsonl"},
        deploy={"max_length": 512},
    )


def test_what_no_server_could_see_is_found_before_training(
    session_ftctl: Cli, tiny_model: Path, tmp_path: Path, vllm_python: Path
) -> None:
    job = tools_job(tiny_model, tmp_path, "tools")
    planned = session_ftctl("plan", job, "--check-template", timeout=120, code=1)
    assert "no chat template shows a server what qwen3_nothink trains" in planned.err
    answer = session_ftctl("train", job, "--json", timeout=TRAIN_TIMEOUT, code=1)
    error = answer.envelope["error"]
    assert "a server could not see what would be trained" in error["message"]
    assert "(tools) the tokenizer's own has" in error["message"]
    assert "model.template" in error["remedy"]
    events = [json.loads(line) for line in answer.out.splitlines()[:-1]]
    (found,) = [event for event in events if event["event"] == "template"]
    assert (found["state"], found["template"]) == ("unlike", "qwen3_nothink")
    assert not any(event["event"] == "begin" for event in events)
