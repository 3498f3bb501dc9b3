"""Servers behind HAProxy, and others put in their place: the stand-in servers, the real proxy."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ftctl.deployments import client, proxy, store
from ftctl.deployments.canary import prompts_of
from ftctl.deployments.checks import check_deploy
from ftctl.deployments.replace import check_replaceable
from ftctl.deployments.stop import stop
from ftctl.errors import FtctlError, Missing, UsageError
from ftctl.job.model import Deploy
from ftctl.process import own_session
from tests.certificates import certificate
from tests.flow.conftest import Starter
from tests.load import asked_all_the_while
from tests.standin.behind import answers, gone, members, replaced, served

try:
    proxy.program()
except FtctlError as error:
    pytest.skip(error.message, allow_module_level=True)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("FTCTL_HOME", str(tmp_path / "home"))
    yield
    for entry in store.entries():
        stop(entry, now=True)


@pytest.mark.usefixtures("home")
def test_one_address_for_several_servers_and_nothing_left_of_them(model: Path, tmp_path: Path) -> None:
    front = served(model, replicas=2, tls=certificate(tmp_path / "tls"))
    assert front.url.startswith("https://")
    assert front.members == ("ft.1", "ft.2")
    assert answers()
    assert client.request(front.url, "/v1/models")[0] == 401
    assert client.request(front.url, "/health")[0] == 200
    assert store.state(store.get("ft")) == "running"
    for file in ("haproxy.cfg", "admin.sock", "proxy.pem"):
        assert (Path(front.folder) / file).stat().st_mode & 0o777 == 0o600
    processes = [entry.deployment.process for entry in store.entries()]
    stop(store.get("ft"))
    assert not any(own_session(process) for process in processes)
    assert [store.state(entry) for entry in store.entries()] == ["stopped"] * 3


@pytest.mark.usefixtures("home")
def test_other_servers_take_over_under_load_and_those_that_fail_do_not(model: Path) -> None:
    front = served(model)
    with asked_all_the_while(front.url, store.key_of(store.get("ft")), "ft") as load:
        for how, why in (("die", "that no table knows"), ("mute", "answered with nothing")):
            with pytest.raises(FtctlError, match=f"{why}.*ft serves on as before"):
                replaced(model, how)
            assert members() == ("ft.1",)
            assert gone("ft.2")
        assert replaced(model, replicas=2).members == ("ft.2", "ft.3")
        assert gone("ft.1")
    assert (load.failures, load.done > 20) == ([], True)
    shown = subprocess.run(
        [sys.executable, "-m", "ftctl", "ps", "--all", "--json"], capture_output=True, check=True, text=True
    )
    rows = json.loads(shown.stdout)["data"]["deployments"]
    assert [row["name"] for row in rows] == ["ft"]  # what has left it is no deployment of its own
    with pytest.raises(UsageError, match="is a server behind ft"):
        check_replaceable("ft.2")


def test_what_has_its_address_itself_is_not_replaced(serve: Starter) -> None:
    serve()
    with pytest.raises(UsageError, match="has its address itself"):
        check_replaceable("ft")


@pytest.mark.usefixtures("home")
def test_a_machine_without_haproxy_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(Missing, match="need HAProxy"):
        proxy.program({"PATH": ""}, places=str(tmp_path))


@pytest.mark.usefixtures("home")
def test_the_canary_is_looked_at_before_anything_starts(tmp_path: Path) -> None:
    file = tmp_path / "canary.txt"
    file.write_text("One?\n\n  Two?\n")
    assert prompts_of(file) == ("One?", "Two?")
    file.write_text("\n")
    with pytest.raises(UsageError, match="has 0 prompts"):
        check_deploy(Deploy(proxy=True, canary=file), "ft", {})
    for kept, why in ((tmp_path, "Is a directory"), (tmp_path / "none.txt", "No such file or directory")):
        with pytest.raises(UsageError, match=f"{kept.name} cannot be read: {why}; one prompt"):
            prompts_of(kept)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="it is not UTF-8 text"):
        prompts_of(file)
