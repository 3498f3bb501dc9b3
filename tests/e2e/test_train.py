"""The main job with the real engines: train, serve, and get back word for word what was trained."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.conftest import DEMO, TRAIN_TIMEOUT, Cli, TrainedRun, demo_job

pytestmark = pytest.mark.engine

ROWS = [json.loads(line) for line in (DEMO / "ftctl-qa.jsonl").read_text().splitlines()]
CPU_SERVER = {"engine": "vllm", "dtype": "float32", "max_length": 512, "kv_cache_memory": "64MiB"}
LORA = {"rank": 32, "alpha": 64}
AS_TRAINED = {
    "measure": "tokens",
    "figure": 1.0,
    "note": "",
    "differs": False,
}  # and the conversations' count


def ask(place: dict[str, Any], question: str) -> str:
    """The greedy answer of a deployment, over its API as any client would."""
    key = Path(place["key_file"]).read_text().strip()
    url = urlsplit(place["url"])
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=60)
    body = {
        "model": place["model"],
        "messages": [{"role": "user", "content": question}],
        "temperature": 0,
        "max_tokens": 96,
    }
    connection.request(
        "POST",
        "/v1/chat/completions",
        json.dumps(body),
        {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    answer = json.loads(connection.getresponse().read())
    connection.close()
    content: str = answer["choices"][0]["message"]["content"]
    return content


def word_for_word(place: dict[str, Any], rows: list[dict[str, str]]) -> int:
    """How many of these rows' questions get exactly the row's answer."""
    return sum(ask(place, row["instruction"]) == row["output"] for row in rows)


def deploy(cli: Cli, what: str | Path, name: str, *more: str) -> dict[str, Any]:
    answer = cli("deploy", what, "--name", name, "--json", *more, timeout=300, code=0)
    return answer.data


@pytest.fixture
def stopping(session_ftctl: Cli) -> Iterator[Cli]:
    """The session's command line; what a test deploys is stopped after it."""
    yield session_ftctl
    session_ftctl("stop", "--all", timeout=60)


def overrides(**more: object) -> list[str]:
    block = {**CPU_SERVER, **more}
    return [word for key, value in block.items() for word in ("--set", f"{key}={value}")]


def test_a_whole_job_ends_in_a_server_that_answers_word_for_word(
    stopping: Cli, tiny_model: Path, tmp_path: Path
) -> None:
    """And the base model, served the same way for as long as it is asked, knows nothing of it."""
    # The tokenizer's own template is ChatML, which LLaMA-Factory saves though it trains Llama 3's.
    model = {"path": str(tiny_model), "template": "llama3"}
    train = json.loads(demo_job(tiny_model, tmp_path / "x.yaml").read_text())["train"]
    train["native"] = {"resize_vocab": True}
    evaluate = {
        "data": str(DEMO / "ftctl-qa.jsonl"), "compare": "base", "sampling": {"max_tokens": 64},
        "metrics": ["exact_match", {"rouge": {"tokenizer": "zh"}}],
        "gate": {"exact_match.low": ">= 0.8", "exact_match": ">= base + 0.8", "rougeL": ">= 0.9"},
    }  # fmt: skip
    # Asked what it was trained on, on purpose: it is learnt by heart.
    data = {"train": str(DEMO / "ftctl-qa.jsonl"), "overlap": "allow"}
    changes = {"model": model, "train": train, "data": data, "deploy": CPU_SERVER, "evaluate": evaluate}
    job = demo_job(tiny_model, tmp_path / "job.yaml", name="whole", **changes)
    answer = stopping("train", job, "--json", timeout=TRAIN_TIMEOUT, code=0)
    events = [json.loads(line) for line in answer.out.splitlines()[:-1]]
    done = [event["name"] for event in events if event["event"] == "phase" and event["state"] == "done"]
    assert done == ["train", "collect", "evaluate base", "serve", "evaluate"]
    judged = answer.data["evaluation"]
    assert (judged["base"]["exact_match"], judged["answers"]["answered"]) == (0.0, len(ROWS))
    assert judged["tuned"]["exact_match"] >= 0.9
    assert answer.data["verdict"]["met"] is True
    pairs = json.loads((Path(answer.data["run"]) / "evaluations" / "comparison.json").read_text())["paired"]
    assert pairs["exact_match"]["wins"] >= 0.9 * len(ROWS)
    steps = [event for event in events if event["event"] == "step"]
    assert steps[-1]["step"] == steps[-1]["total_steps"] == 300
    for field in ("loss", "learning_rate", "grad_norm", "tokens_per_second", "remaining", "memory"):
        assert field in steps[0]
    found, written = [event for event in events if event["event"] == "template"]
    assert (found["state"], written["path"]) == ("rewritten", "output/chat_template.jinja")
    (listed,) = stopping("ps", "--json", code=0).data["deployments"]
    assert (listed["name"], listed["state"]) == ("whole", "running")
    # The template knows tools and the rows have none: those two conversations are told, and are no fault.
    assert (listed["parity"]["figure"], listed["parity"]["count"]) == (0.8182, 11)
    assert not listed["parity"]["differs"]
    assert "as trained" in stopping("ps", code=0).out
    said = stopping("chat", "whole", "--once", ROWS[0]["instruction"], "--temperature", "0", code=0)
    assert said.out.strip() == ROWS[0]["output"]
    place = {"url": listed["address"], "model": "whole", "key_file": Path(listed["folder"]) / "key"}
    assert word_for_word(place, ROWS) >= 0.9 * len(ROWS)
    asked = ("--limit", "20", "--metrics", "exact_match,perplexity", "--json")
    again = stopping("evaluate", "whole", *asked, "--set", "compare=null", timeout=120, code=0).data["tuned"]
    assert again["exact_match"] >= 0.9
    assert 1 <= again["perplexity"] < 1.5
    stopping("stop", "whole", code=0)
    made = stopping("export", "whole", tmp_path / "ollama", "--to", "ollama", code=0)
    assert "gives the tokens of the training in 9 conversations" in made.out
    too_little_learnt(stopping, job, answer.data["run"])


def too_little_learnt(cli: Cli, job: Path, before: str) -> None:
    """The same job with two steps misses its gate: exit code 3, and nothing of it goes on serving."""
    answer = cli("train", job, "--json", "--set", "train.max_steps=2", timeout=TRAIN_TIMEOUT, code=3)
    envelope = json.loads(answer.out.splitlines()[-1])
    run = Path(envelope["data"]["run"])
    verdict = json.loads((run / "verdict.json").read_text())
    assert verdict["met"] is False and not any(rule["met"] for rule in verdict["rules"])
    request = json.loads((run / "evaluations" / "base" / "request.json").read_text())
    assert request["reused_from"] == Path(before).name  # the base was not asked again
    assert cli("ps", "--json", code=0).data["deployments"] == []


def test_lora_merged_and_attached_answer_alike(stopping: Cli, tiny_model: Path, tmp_path: Path) -> None:
    """Merged it is served in the interpreter that the run started while it was being merged."""
    train = {**json.loads(demo_job(tiny_model, tmp_path / "x.yaml").read_text())["train"]}
    train |= {"method": "lora", "lora": LORA, "learning_rate": 1e-2, "epochs": 60}
    model = {"path": str(tiny_model), "template": "alpaca"}
    changes = {"name": "lora", "model": model, "train": train, "deploy": CPU_SERVER}
    job = demo_job(tiny_model, tmp_path / "lora.yaml", **changes)
    run = stopping("train", job, "--json", timeout=TRAIN_TIMEOUT, code=0).data["run"]
    questions = [row["instruction"] for row in ROWS[:20]]
    (merged,) = stopping("ps", "--json", code=0).data["deployments"]
    assert b"waiting_server" in Path(f"/proc/{merged['pid']}/cmdline").read_bytes()
    merged |= {"url": merged["address"], "key_file": Path(merged["folder"]) / "key"}
    from_merged = [ask(merged, question) for question in questions]
    stopping("stop", "lora", code=0)
    attached = deploy(stopping, run, "attached", *overrides(adapter="attach"))
    log = Path(attached["log"]).read_text()
    assert "enable_lora" in log, "the adapter was not attached"
    assert merged["parity"] == attached["parity"] == {**AS_TRAINED, "count": 9}
    from_attached = [ask(attached, question) for question in questions]
    same = sum(one == other for one, other in zip(from_merged, from_attached, strict=True))
    assert same >= 19, [pair for pair in zip(from_merged, from_attached, strict=True) if pair[0] != pair[1]]
    assert len(set(from_merged)) > 10, "a model that says one thing to everything proves nothing"


def test_the_rendered_files_run_under_the_engines_own_command(
    trained_run: TrainedRun, tmp_path: Path, llamafactory_python: Path
) -> None:
    folder = tmp_path / "by hand"
    job = demo_job(trained_run.model, tmp_path / "job.yaml")
    trained_run.cli("render", job, "--output", folder, code=0)
    # The interpreter's own command, as a user would type it in the rendered folder.
    argv = [str(llamafactory_python), "-m", "llamafactory.cli", "train", "native/train.yaml"]
    env = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1"}
    env.pop("PYTHONPATH", None)
    done = subprocess.run(
        argv, cwd=folder, env=env, capture_output=True, text=True, timeout=TRAIN_TIMEOUT, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    logged = [json.loads(line) for line in (folder / "output" / "trainer_log.jsonl").read_text().splitlines()]
    by_hand = {line["current_steps"]: line["loss"] for line in logged if "loss" in line}
    events = [json.loads(line) for line in (trained_run.directory / "events.jsonl").read_text().splitlines()]
    by_ftctl = {event["step"]: event["loss"] for event in events if event["event"] == "step"}
    assert by_ftctl.keys() == by_hand.keys()
    for step, loss in by_hand.items():
        assert by_ftctl[step] == pytest.approx(loss, rel=1e-3, abs=1e-3), f"at step {step}"


@pytest.mark.parametrize("processes", [1, 2])
def test_any_path_works(session_ftctl: Cli, tiny_model: Path, tmp_path: Path, processes: int) -> None:
    folder = tmp_path / 'it\'s a "job" 训练 $HOME [1]'
    runs = tmp_path / 'it\'s "my runs" 运行'
    folder.mkdir()
    data = folder / "数据 'rows'.jsonl"
    data.write_text((DEMO / "ftctl-qa.jsonl").read_text())
    model = folder / "base 模型"
    model.symlink_to(tiny_model)
    job = demo_job(
        model,
        folder / "job file.yaml",
        name=f"paths-{processes}",
        data={"train": data.name, "eval": 0.1},
        train={"method": "full", "epochs": 1, "batch_size": 16, "max_length": 256},
        resources={"gpus": 0, "processes": processes},
    )
    answer = session_ftctl(
        "train", job, "--runs-dir", runs, "--json", cwd=folder, timeout=TRAIN_TIMEOUT, code=0
    )
    events = [json.loads(line) for line in answer.out.splitlines()[:-1]]
    (begin,) = [event for event in events if event["event"] == "begin"]
    assert begin["world_size"] == processes
    assert any("eval_loss" in event["metrics"] for event in events if event["event"] == "evaluation")


def test_freeze_tuning_on_rows_of_every_format_by_an_interpreter_of_the_users_own(
    session_ftctl: Cli, tiny_model: Path, llamafactory_python: Path, tmp_path: Path
) -> None:
    alpaca = [{"question": row["instruction"], "answer": row["output"]} for row in ROWS[:30]]
    sharegpt = [
        {
            "conversations": [
                {"from": "human", "value": row["instruction"]},
                {"from": "gpt", "value": row["output"]},
            ]
        }
        for row in ROWS[30:60]
    ]
    openai = [
        {
            "messages": [
                {"role": "system", "content": "Answer."},
                {"role": "user", "content": row["instruction"]},
                {"role": "assistant", "content": row["output"]},
            ]
        }
        for row in ROWS[60:]
    ]
    (tmp_path / "alpaca.json").write_text(json.dumps(alpaca))
    for name, rows in (("sharegpt.jsonl", sharegpt), ("openai.jsonl", openai)):
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    mapped = {"path": "alpaca.json", "columns": {"prompt": "question", "response": "answer"}}
    job = demo_job(
        tiny_model,
        tmp_path / "job.yaml",
        name="freeze",
        data={"train": [mapped, "sharegpt.jsonl"], "eval": "openai.jsonl"},
        train={
            "method": "freeze",
            "freeze": {"layers": 1},
            "epochs": 2,
            "max_length": 256,
            "engine_python": str(llamafactory_python),
        },
    )
    nowhere = {"FTCTL_ENGINES": str(tmp_path / "no-engines"), "FTCTL_LLAMAFACTORY_PYTHON": ""}
    answer = session_ftctl("train", job, "--no-install", "--json", env=nowhere, timeout=TRAIN_TIMEOUT, code=0)
    run = Path(answer.data["run"])
    events = [json.loads(line) for line in answer.out.splitlines()[:-1]]
    steps = [event for event in events if event["event"] == "step"]
    assert len(steps) == 8, "60 rows in batches of 16, twice"
    assert steps[-1]["loss"] < steps[0]["loss"]
    assert any("eval_loss" in event["metrics"] for event in events if event["event"] == "evaluation")
    assert json.loads((run / "artifact.json").read_text())["architecture"] == "Qwen3ForCausalLM"
    assert not (run / "cache").exists()
