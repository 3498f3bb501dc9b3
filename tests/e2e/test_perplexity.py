"""Perplexity of references by a real vLLM server, against a count of our own by another route."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from ftctl.deployments import client
from ftctl.judge.asked import read_metrics
from ftctl.judge.scored import Figures
from ftctl.judge.scoring import Server, Way, score
from tests.e2e.conftest import Served

pytestmark = pytest.mark.engine
ROWS = [
    ([{"role": "user", "content": "What is ftctl?"}], "A tool that trains and serves."),
    ([{"role": "system", "content": "Be short."}, {"role": "user", "content": "你好"}], "你好！"),
    ([{"role": "user", "content": "x"}], None),
]


def measure(served: Served, judge_python: Path, folder: Path, rows: Any, model: str = "tiny") -> Figures:
    lines = [
        json.dumps({"id": f"t:{number}", "messages": prompt, "reference": reference})
        for number, (prompt, reference) in enumerate(rows)
    ]
    (folder / "questions.jsonl").write_text("\n".join(lines) + "\n")
    asked, wrong = read_metrics([{"perplexity": {"retries": 0}}])
    assert wrong == ()
    server = Server(served.url, model, "vllm", served.key, artifact="tiny")
    return score(folder, asked, judge_python, server=server, way=Way(resamples=100))


def ids(served: Served, messages: Any, **more: Any) -> list[int]:
    body = {"model": "tiny", "messages": messages, **more}
    status, answer = client.request(served.url, "/tokenize", key=served.key, body=body)
    assert status == 200, answer
    found: list[int] = json.loads(answer)["tokens"]
    return found


def counted(served: Served, prompt: Any, reference: str) -> tuple[float, int]:
    """Nats and tokens of a reference, by what /v1/completions tells of an echoed prompt."""
    ahead = ids(served, prompt, add_generation_prompt=True)
    answer = {"role": "assistant", "content": reference}
    whole = ids(served, [*prompt, answer], add_generation_prompt=False, continue_final_message=True)
    assert whole[: len(ahead)] == ahead
    body = {"model": "tiny", "prompt": whole, "max_tokens": 1, "echo": True, "logprobs": 0, "temperature": 0}
    status, text = client.request(served.url, "/v1/completions", key=served.key, body=body)
    assert status == 200, text
    logs = json.loads(text)["choices"][0]["logprobs"]["token_logprobs"][len(ahead) : len(whole)]
    return -math.fsum(logs), len(logs)


def test_it_is_the_likelihood_of_the_references_tokens(
    served: Served, judge_python: Path, tmp_path: Path
) -> None:
    figure = measure(served, judge_python, tmp_path, ROWS).figures["perplexity"]
    parts = [counted(served, prompt, reference) for prompt, reference in ROWS if reference is not None]
    nats, tokens = map(sum, zip(*parts, strict=True))
    assert figure.value == pytest.approx(math.exp(nats / tokens), rel=1e-3)
    assert (figure.rows, figure.better) == (2, "lower")
    scores = [json.loads(line)["scores"] for line in (tmp_path / "scores.jsonl").read_text().splitlines()]
    assert scores[0]["perplexity"] == pytest.approx(math.exp(parts[0][0] / parts[0][1]), rel=1e-3)
    assert scores[2]["perplexity"] is None
    assert served.key not in (tmp_path / "figures.json").read_text()
    # What was measured is kept: a server that is not asked cannot be wrong.
    again = measure(served, judge_python, tmp_path, ROWS, model="no-such-model").figures["perplexity"]
    assert again == figure


def test_a_row_that_cannot_be_measured_makes_it_missing(
    served: Served, judge_python: Path, tmp_path: Path
) -> None:
    too_long = ([{"role": "user", "content": "x"}], "word " * 20_000)
    found = measure(served, judge_python, tmp_path, [*ROWS, too_long])
    assert "perplexity" not in found.figures
    assert found.missing["perplexity"].startswith("perplexity: the server could not measure every reference")
