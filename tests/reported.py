"""Runs by their records alone, for tests of what is told of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ftctl.job.training import Train
from ftctl.rendered import Rendered
from ftctl.run.create import create
from ftctl.run.directory import RunDir
from tests.plans import plan

BEGAN = 1_700_000_000.0  # seconds since the epoch
# What a model or a file of data may hold: markup, a link, a turn of direction, a control, half a surrogate.
HOSTILE = "<script>alert(1)</script> </pre> [x](javascript:1) `|` \x1b[31m \u202egnp.exe \ud800 好的"
QUESTION, WANTED = "What is <b>ftctl</b>?", "A tool."


def run_in(root: Path, *, name: str = "small") -> RunDir:
    """A run of a small job, just created."""
    made = plan(Train(method="full", epochs=3))
    return create(replace(made, job=replace(made.job, name=name)), {"train": Rendered(("/bin/true",))}, root)


def trained(run: RunDir, steps: int = 40, *, resumed: bool = False) -> None:
    """Events of a training; `resumed`: taken up from its checkpoint at half-way, five steps after it."""
    run.emit("run", {"state": "started"}, BEGAN)
    run.emit("begin", {"total_steps": steps, "epochs": 3, "world_size": 1}, BEGAN)
    half = steps // 2
    _steps(run, range(1, (half + 5 if resumed else steps) + 1), steps, 0)
    if resumed:
        run.write_json(
            "exit-1.json", {"state": "LOST", "message": "its supervisor died", "ended": BEGAN + 300}
        )
        place = f"output/checkpoint-{half}"
        run.emit(
            "attempt",
            {"number": 2, "after": "LOST", "phase": "train", "step": half, "checkpoint": place},
            BEGAN + 5000,
        )
        run.emit("begin", {"total_steps": steps, "resumed_from": half}, BEGAN + 5001)
        _steps(run, range(half + 1, steps + 1), steps, half)
    run.emit("phase", {"name": "train", "state": "done", "seconds": 65.0}, BEGAN + 9000)


def _steps(run: RunDir, numbers: Sequence[int], total: int, before: int) -> None:
    for step in numbers:
        data = {
            "step": step,
            "total_steps": total,
            "loss": 4.0 / step,
            "learning_rate": 1e-3 * (1 - step / total),
            "grad_norm": 1.5,
            "tokens_per_second": 1000.0 + step,
            "memory": 2**30,
            "elapsed": 2.0 * (step - before),
        }
        run.emit("step", data, BEGAN + step)
        if step % 10 == 0:
            run.emit("evaluation", {"step": step, "metrics": {"eval_loss": 5.0 / step}}, BEGAN + step)
            run.emit("checkpoint", {"step": step, "path": f"output/checkpoint-{step}"}, BEGAN + step)


def served(run: RunDir) -> None:
    """The deployment's part of the events, and the run's end."""
    parity = {"measure": "tokens", "figure": 1.0, "count": 9, "note": "", "differs": False}
    run.emit("deployment", {"name": "small", "state": "ready", "parity": parity}, BEGAN + 9100)
    ended(run, "SUCCEEDED")


def ended(run: RunDir, state: str, message: str = "", code: int = 0) -> None:
    record = {"state": state, "exit_code": code, "message": message, "remedy": "", "ended": BEGAN + 9200}
    run.write_json("exit.json", record)


def evaluated(run: RunDir, *, hostile: str = HOSTILE) -> None:
    """The evaluations of the base and the tuned model, their comparison, and a gate that is missed."""
    _evaluation(run, "base", 0.1, ["no idea", "nothing"])
    _evaluation(run, "tuned", 0.85, [hostile, WANTED])
    paired = {
        "a": 0.1,
        "b": 0.85,
        "difference": 0.75,
        "low": 0.6,
        "high": 0.9,
        "wins": 16,
        "losses": 1,
        "ties": 3,
    }
    run.write_json(
        "evaluations/comparison.json",
        {
            "version": 1,
            "paired": {"exact_match": paired},
            "changed": [{"id": "test.jsonl:2", "metric": "exact_match", "a": 0.0, "b": 1.0}],
        },
    )
    rule = {"metric": "exact_match", "rule": ">= 0.9", "value": 0.85, "bar": 0.9, "by": -0.05, "met": False}
    run.write_json("verdict.json", {"version": 1, "met": False, "rules": [{**rule, "why": None}]})


def _evaluation(run: RunDir, name: str, value: float, said: Sequence[str]) -> None:
    figure = {"value": value, "low": value - 0.05, "high": value + 0.05, "rows": 20, "better": "higher"}
    latency = {"value": 0.4, "low": 0.35, "high": 0.5, "better": "lower"}
    figures = {
        "version": 1,
        "figures": {"exact_match": figure, "latency_p50": latency},
        "confidence": 0.95,
        "answers": {"asked": 20, "answered": 19, "errors": 1, "empty": 0, "cut": 2},
        "notes": ["20 rows are few", f"said of {name}"],
        "missing": {"perplexity": "the server gives no probabilities"},
    }
    run.write_json(f"evaluations/{name}/figures.json", figures)
    data = [{"path": "/data/test.jsonl", "sha256": "e" * 64, "rows": 20}]
    run.write_json(f"evaluations/{name}/request.json", {"version": 1, "model": name, "data": data})
    rows = [
        {"id": f"test.jsonl:{number}", "prompt": [{"role": "user", "content": QUESTION}], "reference": WANTED}
        | {"prediction": text, "finish_reason": "stop", "error": None}
        for number, text in enumerate(said, 1)
    ]
    _lines(
        run, f"evaluations/{name}/predictions.jsonl", [{**rows[0], "error": "500"}, *rows], torn='{"id": "te'
    )
    scores = [
        {"id": row["id"], "scores": {"exact_match": float(row["prediction"] == WANTED)}} for row in rows
    ]
    _lines(run, f"evaluations/{name}/scores.jsonl", scores)


def _lines(run: RunDir, name: str, rows: Sequence[Mapping[str, Any]], torn: str = "") -> None:
    run.write(name, "".join(json.dumps(row) + "\n" for row in rows) + torn)
