"""LMDeploy without a GPU: its parser on what ftctl renders, and its servers behind ftctl's key.

The proxy runs whole. The API server runs with all its routes and no engine (lmdeploy_without_engine.py).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import ftctl
from ftctl.artifacts.model import Artifact
from ftctl.deployments import client
from ftctl.deployments.ports import free_port
from ftctl.engines.locate import locate
from ftctl.plan.model import ServePlan
from tests.e2e.asking import status
from tests.unit.test_serve_lmdeploy import MODEL, render
from tests.waiting import until

pytestmark = pytest.mark.engine

KEY = "lmdeploy-proof-key"
INSIDE = Path(ftctl.__file__).parent / "inside"
WITHOUT_ENGINE = Path(__file__).parent / "lmdeploy_without_engine.py"
METHODS = ("GET", "POST", "OPTIONS", "PUT", "DELETE", "HEAD")
# Beside what the servers list: what LMDeploy's own check of the key lets pass.
OPEN_IN_LMDEPLOY = ("/health/x", "/healthz", "/docs", "/redoc", "/nodes", "/nodes/x", "/openapi.json", "/")


@pytest.fixture(scope="module")
def python() -> Path:
    engine = locate("lmdeploy", "cuda", python=None, environ=os.environ)
    if not engine.installed:
        pytest.skip("lmdeploy is not installed")
    return engine.python


@contextmanager
def running(folder: Path, *argv: str | Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A server of LMDeploy's on a free port, ended with all that it started; its address."""
    port = free_port("127.0.0.1", ())
    env = {
        "PATH": "/usr/bin:/bin", "HOME": str(folder), "PYTHONPATH": str(INSIDE), "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "", "FTCTL_DEPLOYMENT_KEY": KEY, "HF_HUB_OFFLINE": "1",
    }  # fmt: skip
    place = ("--server-name", "127.0.0.1", "--server-port", str(port))
    with open(folder / "log", "wb") as log:
        server = subprocess.Popen(
            [*argv, *place], cwd=folder, env=env, stdout=log, stderr=log, start_new_session=True
        )
    try:
        url = f"http://127.0.0.1:{port}"
        until(lambda: server.poll() is not None or _listens(port), 120)
        assert server.poll() is None, (folder / "log").read_text()[-4000:]
        yield url, server
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def opened(url: str, key: str | None) -> tuple[set[tuple[str, str]], set[str]]:
    """What answers otherwise than 401 with this key, and the paths that the server itself lists."""
    _, page = client.request(url, "/openapi.json", key=KEY)
    listed = set(json.loads(page)["paths"])
    every = [(method, path) for path in {*listed, *OPEN_IN_LMDEPLOY, "/health"} for method in METHODS]
    return {(method, path) for method, path in every if status(url, method, path, key) != 401}, listed


def seen(server: subprocess.Popen[bytes], log: Path) -> None:
    """The key stands in no process list and not in the log, and the port is on loopback alone."""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            shown = entry.read_text(errors="replace")
        except OSError:
            continue  # it has ended
        assert KEY not in shown
    assert KEY not in log.read_text(errors="replace")
    links = (str(link.readlink()) for link in Path(f"/proc/{server.pid}/fd").iterdir() if link.is_symlink())
    inodes = {link[8:-1] for link in links if link.startswith("socket:")}
    tables = (Path(f"/proc/net/{table}").read_text().splitlines()[1:] for table in ("tcp", "tcp6"))
    rows = [line.split() for table in tables for line in table]
    listening = {row[1].partition(":")[0] for row in rows if row[3] == "0A" and row[9] in inodes}
    assert listening == {"0100007F"}


def test_no_route_of_the_proxy_is_open(python: Path, tmp_path: Path) -> None:
    argv = (python, INSIDE / "lmdeploy_server.py", "serve", "proxy", "--disable-cache-status")
    with running(tmp_path, *argv) as (url, server):
        health = {("GET", "/health"), ("HEAD", "/health")}  # of which the proxy itself has none
        for key in (None, "wrong"):
            open_, listed = opened(url, key)
            assert open_ == health
        assert {"/nodes/add", "/nodes/remove", "/nodes/terminate", "/v1/chat/completions"} <= listed
        node = {"url": "http://127.0.0.1:9", "status": {"models": ["ft"]}}
        assert client.request(url, "/nodes/add", body=node)[0] == 401
        assert json.loads(client.request(url, "/nodes/status", key=KEY)[1]) == {}
        assert client.request(url, "/nodes/add", key=KEY, body=node)[0] == 200
        assert client.models(url, KEY) == ("ft",)
        seen(server, tmp_path / "log")


WHOLE = render(
    ServePlan("lmdeploy", "ft", "none", (0, 1), 2, "bfloat16", 4096, 1, 2, trust_remote_code=True),
    dtype="bfloat16",
    gpu_memory_share=0.5,
    max_concurrency=8,
    prefix_caching=False,
    kv_cache_dtype="int4",
    quantization="awq",
    tool_parser="qwen",
    reasoning_parser="qwen-qwq",
    log_requests=True,
    tls={"certificate": Path("/c.pem"), "key": Path("/k.pem")},
    native={"max_prefill_token_num": 4096, "hf_overrides": {"rope_scaling": {"type": "yarn"}}},
)
ATTACHED = render(
    ServePlan("lmdeploy", "ft", "attach", (0,), 1, "auto", None, adapters={"b": "/b"}),
    Artifact("adapter", Path("/a"), base="/base", lora_rank=8),
    adapters={"b": "/b"},
    speculative={"method": "eagle3", "model": "/draft", "tokens": 3},
    kv_cache_dtype="fp8",
)


def test_its_parser_reads_what_is_rendered_and_its_server_is_closed(python: Path, tmp_path: Path) -> None:
    """Both in one process: to import LMDeploy takes longer than all the rest."""
    model = tmp_path / "m"
    model.mkdir()
    (model / "config.json").write_text('{"architectures": ["LlamaForCausalLM"], "model_type": "llama"}')
    lines = [rendered.argv[4:] for rendered in (WHOLE, ATTACHED, render())]
    (tmp_path / "lines.json").write_text(json.dumps(lines))
    argv = (
        python, WITHOUT_ENGINE, INSIDE, tmp_path / "lines.json", "serve", "api_server", model,
        "--backend", "pytorch", "--max-batch-size", "8", "--model-name", "ft",
        "--adapters", "a=x", "b=y", "--disable-metrics",
    )  # fmt: skip
    with running(tmp_path, *argv) as (url, server):
        for key in (None, "wrong"):
            open_, listed = opened(url, key)
            assert open_ == {("GET", "/health"), ("HEAD", "/health")}
        assert {"/v1/chat/completions", "/generate", "/health", "/terminate", "/sleep"} <= listed
        assert client.models(url, KEY) == ("ft", "a", "b")
        seen(server, tmp_path / "log")
    _as_asked(*json.loads((tmp_path / "lines.read").read_text()))


def _as_asked(whole: dict[str, Any], attached: dict[str, Any], usual: dict[str, Any]) -> None:
    """What the parser read is what the deploy blocks say."""
    wanted = {
        "model_path": str(MODEL.path), "model_name": "ft", "server_name": "127.0.0.1", "server_port": 8123,
        "dtype": "bfloat16", "session_len": 4096, "tp": 2, "dp": 2, "cache_max_entry_count": 0.5,
        "max_batch_size": 8, "enable_prefix_caching": False, "quant_policy": 4, "model_format": "awq",
        "tool_call_parser": "qwen", "reasoning_parser": "qwen-qwq", "log_level": "REQUEST", "ssl": True,
        "trust_remote_code": True, "chat_template": "hf", "disable_fastapi_docs": True, "api_keys": None,
        "max_prefill_token_num": 4096, "hf_overrides": {"rope_scaling": {"type": "yarn"}},
    }  # fmt: skip
    assert {key: whole[key] for key in wanted} == wanted
    wanted = {
        "backend": "pytorch", "adapters": {"ft": "/a", "b": "/b"}, "model_name": "ft-base",
        "speculative_algorithm": "eagle3", "speculative_draft_model": "/draft",
        "speculative_num_draft_tokens": 3, "quant_policy": 16, "enable_prefix_caching": True,
    }  # fmt: skip
    assert {key: attached[key] for key in wanted} == wanted
    assert (usual["backend"], usual["adapters"], usual["ssl"]) == ("turbomind", None, False)
