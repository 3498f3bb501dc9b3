"""A server's own counts, from what it tells Prometheus."""

from __future__ import annotations

import json
from dataclasses import replace

from ftctl.deployments.metrics import parse, tokens_per_second
from tests.conftest import ROOT, Cli

PAGE = """# HELP vllm:request_success_total Count of successfully processed requests.
# TYPE vllm:request_success_total counter
vllm:request_success_total{engine="0",finished_reason="stop",model_name="a b"} 5.0
vllm:request_success_total{engine="0",finished_reason="length",model_name="a b"} 2.0
vllm:prompt_tokens_total{engine="0",model_name="a b"} 1.5e+03
vllm:generation_tokens_total{engine="0",model_name="a b"} 400.0
vllm:num_requests_running{engine="0",model_name="a b"} 1.0
vllm:num_requests_waiting{engine="0",model_name="a b"} nonsense
process_cpu_seconds_total 31.2
"""


def test_counts_of_one_name_are_added() -> None:
    load = parse(PAGE, "vllm", time=100.0, started=0.0)
    assert load is not None
    assert (load.requests, load.prompt_tokens, load.generation_tokens) == (7, 1500, 400)
    assert (load.running, load.waiting) == (1, 0)


def test_a_page_without_the_counts_tells_nothing() -> None:
    assert parse("process_cpu_seconds_total 31.2\n\n{\n", "vllm", time=1.0, started=0.0) is None
    assert parse(PAGE, "another", time=1.0, started=0.0) is None


def test_the_rate_is_since_the_last_look_at_the_same_server() -> None:
    now = parse(PAGE, "vllm", time=100.0, started=0.0)
    assert now is not None
    before = replace(now, time=90.0, generation_tokens=300)
    assert tokens_per_second(before, now) == 10.0
    assert tokens_per_second(None, now) == 4.0
    assert tokens_per_second(replace(before, started=-1.0), now) == 4.0  # another server of that name
    assert tokens_per_second(replace(before, time=99.9), now) == 4.0  # too short ago
    assert tokens_per_second(replace(before, time=-2000.0), now) == 4.0
    assert tokens_per_second(replace(before, time=200.0), now) == 4.0  # the clock was set back


def test_ps_counts_requests(ftctl: Cli) -> None:
    ftctl("train", ROOT / "configs" / "dummy" / "pipeline.yaml", code=0)
    try:
        (idle,) = ftctl("ps", "--json", code=0).data["deployments"]
        ftctl("chat", "pipeline", "hello", "--once", code=0)
        (asked,) = ftctl("ps", "--json", code=0).data["deployments"]
        assert asked["requests"] == idle["requests"] + 1
        assert asked["load"]["requests"] == asked["requests"]
        assert "requests  tok/s" in ftctl("ps", code=0).out
    finally:
        ftctl("stop", "--all", timeout=60)
    (stopped,) = ftctl("ps", "--all", "--json", code=0).data["deployments"]
    assert stopped["load"] is None


def test_the_dashboard_is_one() -> None:
    board = json.loads((ROOT / "configs" / "grafana" / "vllm.json").read_text())
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]}
    assert len(places) == len(board["panels"]) == len({panel["id"] for panel in board["panels"]})
