"""A deployment's keeper with a real vLLM: its processes get `kill -9`, and it serves again."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ftctl.deployments import client
from ftctl.process import session_members
from tests.conftest import Cli
from tests.e2e.conftest import START_TIMEOUT
from tests.waiting import until

pytestmark = pytest.mark.engine


def row(cli: Cli) -> dict[str, Any]:
    (found,) = cli("ps", "--json", code=0).data["deployments"]
    return dict(found)


def become(cli: Cli, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The deployment once it is what is waited for; a server that starts is looked at twice a second."""
    deadline = time.monotonic() + START_TIMEOUT
    while not condition(found := row(cli)):
        assert time.monotonic() < deadline, found
        time.sleep(0.5)
    return found


def engine_of(pid: int) -> int:
    """The EngineCore of the API server `pid`."""
    (engine,) = (
        one for one in session_members(pid) if b"EngineCore" in Path(f"/proc/{one}/cmdline").read_bytes()
    )
    return engine


def test_whatever_is_killed_it_serves_again(ftctl: Cli, tiny_model: Path, vllm_python: Path) -> None:
    argv = ("deploy", tiny_model, "--name", "victim", "--engine-python", vllm_python, "--json")
    data = ftctl(*argv, timeout=START_TIMEOUT, code=0).data
    first = become(ftctl, lambda now: now["state"] == "running")

    os.kill(first["keeper"], signal.SIGKILL)
    followed = become(ftctl, lambda now: now["keeper"] != first["keeper"])
    assert (followed["pid"], followed["state"]) == (data["pid"], "running")

    os.kill(first["pid"], signal.SIGKILL)
    second = become(ftctl, lambda now: now["pid"] != first["pid"] and now["state"] == "running")
    assert session_members(first["pid"]) == ()

    os.kill(engine_of(second["pid"]), signal.SIGKILL)
    third = become(ftctl, lambda now: now["pid"] != second["pid"] and now["state"] == "running")
    assert session_members(second["pid"]) == ()
    assert third["restarts"] == 2
    key = Path(data["key_file"]).read_text().strip()
    client.compute_once(third["address"], key, "victim", "generate")

    ftctl("stop", "victim", code=0)
    assert session_members(third["pid"]) == ()
    until(lambda: not Path(f"/proc/{third['keeper']}").exists() or session_members(third["keeper"]) == ())
    assert ftctl("ps", "--json", code=0).data["deployments"] == []
