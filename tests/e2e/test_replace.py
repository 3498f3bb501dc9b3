"""Servers put in place of others under a load of requests: a real vLLM once, the stand-in ten times."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ftctl.deployments import client, proxy, store
from ftctl.deployments.kept import kept_of
from ftctl.deployments.stop import stop
from ftctl.errors import FtctlError
from ftctl.process import alive, session_members
from tests.conftest import Cli
from tests.e2e.conftest import START_TIMEOUT
from tests.load import asked_all_the_while
from tests.model_files import write_model
from tests.standin.behind import answers, elsewhere, gone, members, replaced, served
from tests.waiting import until

pytestmark = pytest.mark.engine
try:
    proxy.program()
except FtctlError as error:
    pytest.skip(error.message, allow_module_level=True)


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that the stand-in takes for a model; what it serves of it is ended."""
    monkeypatch.setenv("FTCTL_HOME", str(tmp_path / "home"))
    folder = tmp_path / "model"
    write_model(folder)
    yield folder
    for entry in store.entries():
        stop(entry, now=True)


def test_a_real_server_takes_over_from_another(ftctl: Cli, tiny_model: Path, vllm_python: Path) -> None:
    argv = ("deploy", tiny_model, "--engine-python", vllm_python, "--set", "proxy=true", "--json")
    data = ftctl(*argv, "--name", "desk", timeout=START_TIMEOUT, code=0).data
    key = Path(data["key_file"]).read_text().strip()
    (before,) = ftctl("ps", "--json", code=0).data["deployments"]
    with asked_all_the_while(data["url"], key, "desk", threads=2) as load:
        after = ftctl(*argv, "--replace", "desk", timeout=START_TIMEOUT, code=0).data
    assert (load.failures, load.done > 0, after["url"]) == ([], True, data["url"])
    (now,) = ftctl("ps", "--json", code=0).data["deployments"]
    assert [replica["name"] for replica in now["replicas"]] == ["desk.2"]
    assert now["state"] == "running"
    assert session_members(before["replicas"][0]["pid"]) == ()
    assert "Application startup complete" in ftctl("logs", "desk", "-n", "10000", code=0).out
    ftctl("stop", "desk", code=0)
    assert session_members(now["replicas"][0]["pid"]) == ()
    assert ftctl("ps", "--json", code=0).data["deployments"] == []


def test_ten_replacements_under_load_lose_no_request(model: Path) -> None:
    front = served(model)
    with asked_all_the_while(front.url, store.key_of(store.get("ft")), "ft") as load:
        for number in range(2, 12):
            assert replaced(model).members == (f"ft.{number}",)
    assert (load.failures, load.done > 100) == ([], True)


def test_a_server_that_nobody_takes_over_is_ended(model: Path) -> None:
    served(model)
    assert elsewhere("abandon", model).wait() == 0
    until(lambda: store.get("ft.2").ended is not None and gone("ft.2"))
    assert "was killed" in store.get("ft.2").why
    assert (members(), answers()) == (("ft.1",), True)


def test_a_replacement_that_was_begun_is_ended_by_the_keeper(model: Path) -> None:
    front = served(model)
    key, said = store.key_of(store.get("ft")), list[str]()
    words = [{"role": "user", "content": "slow"}]
    asking = threading.Thread(target=lambda: said.extend(client.chat(front.url, key, "ft", words)))
    asking.start()
    until(lambda: any(slot.in_hand for slot in proxy.slots(Path(front.folder))))
    command = elsewhere("replace", model)
    until(lambda: members() == ("ft.2",))
    command.kill()
    command.wait()
    until(lambda: not store.get("ft").deployment.retiring)
    asking.join()
    assert said == ["heard: ", "slow"]
    assert gone("ft.1")
    assert answers()


def test_a_command_killed_while_the_new_server_starts_leaves_the_old_one(model: Path) -> None:
    served(model)
    command = elsewhere("replace", model, "deaf")
    until(lambda: (found := store.find("ft.2")) is not None and alive(found.deployment.process))
    command.kill()
    command.wait()
    until(lambda: gone("ft.2"))
    assert (members(), answers()) == (("ft.1",), True)


def test_a_killed_proxy_is_back_and_asks_the_same_servers(model: Path) -> None:
    front = served(model)
    before = store.get("ft").deployment.process
    os.kill(before.pid, signal.SIGKILL)
    until(lambda: store.get("ft").deployment.process != before and store.state(store.get("ft")) == "running")
    assert (members(), answers()) == (("ft.1",), True)
    kept = kept_of(Path(front.folder))
    assert kept is not None
    assert kept.restarts == 1
    assert replaced(model).members == ("ft.2",)
