"""Servers behind HAProxy, replaced under load: the stand-in servers, the real proxy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ftctl.artifacts.model import Artifact
from ftctl.deployments import client, proxy, store
from ftctl.deployments.behind import serve
from ftctl.deployments.model import Deployment
from ftctl.deployments.replace import replace_servers
from ftctl.deployments.stop import stop
from ftctl.errors import FtctlError
from ftctl.facts.model import EngineFacts, MachineFacts, ModelFacts
from ftctl.job.model import Deploy
from ftctl.leases.hold import NOTHING
from ftctl.process import own_session
from tests.load import asked_all_the_while
from tests.unit.conftest import STANDIN

try:
    proxy.program()
except FtctlError as error:
    pytest.skip(error.message, allow_module_level=True)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("FTCTL_HOME", str(tmp_path / "home"))
    yield tmp_path
    for entry in store.entries():
        stop(entry, now=True)


def facts(model: Path) -> dict[str, object]:
    return {
        "engine": EngineFacts("vllm", "cpu", STANDIN, installed=True),
        "machine": MachineFacts((), None, 2, 2**34, 2**34),
        "model_facts": ModelFacts(str(model), local=True, max_positions=512, weight_bytes=1),
        "run": None,
        "emit": lambda kind, data: None,
    }


def served(model: Path, how: str = "quick", **block: object) -> Deployment:
    deploy = Deploy(native={"stand-in": how}, proxy=True, **block)  # type: ignore[arg-type]
    return serve(Artifact("model", model), deploy, name="ft", **facts(model))  # type: ignore[arg-type]


def replaced(model: Path, how: str = "quick", **block: object) -> Deployment:
    deploy = Deploy(native={"stand-in": how}, proxy=True, **block)  # type: ignore[arg-type]
    lend = lambda name: NOTHING  # noqa: E731
    return replace_servers("ft", Artifact("model", model), deploy, lend=lend, **facts(model))  # type: ignore[arg-type]


def test_one_address_for_several_servers_and_nothing_left_of_them(home: Path, model: Path) -> None:
    front = served(model, replicas=2)
    assert front.members == ("ft.1", "ft.2")
    key = store.key_of(store.get("ft"))
    assert client.models(front.url, key) == ("ft",)
    assert client.request(front.url, "/v1/models")[0] == 401
    assert store.state(store.get("ft")) == "running"
    processes = [entry.deployment.process for entry in store.entries()]
    stop(store.get("ft"))
    assert not any(own_session(process) for process in processes)
    assert [store.state(entry) for entry in store.entries()] == ["stopped"] * 3


def test_a_replacement_under_load_loses_no_request(home: Path, model: Path) -> None:
    front = served(model)
    key = store.key_of(store.get("ft"))
    with asked_all_the_while(front.url, key, "ft") as load:
        for number in range(2, 12):
            assert replaced(model).members == (f"ft.{number}",)
    assert load.failures == []
    assert load.done > 100
