"""Servers put in place of others under a load of requests: a real vLLM once, the stand-in ten times."""

from __future__ import annotations

import http.client
import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ftctl.artifacts.chat_template import TRAINED
from ftctl.deployments import client, proxy, store
from ftctl.deployments.kept import kept_of
from ftctl.deployments.stop import stop
from ftctl.errors import FtctlError, GateNotMet
from ftctl.process import alive, session_members
from tests.conftest import Cli, TrainedRun
from tests.e2e.conftest import START_TIMEOUT
from tests.load import asked_all_the_while
from tests.model_files import write_model
from tests.standin.behind import answers, elsewhere, gone, members, replaced, served
from tests.waiting import until

pytestmark = pytest.mark.engine
TOKENS = [1, 2, 3]  # what the stand-in makes of any conversation
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


@pytest.fixture
def stopping(ftctl: Cli) -> Iterator[Cli]:
    """The command line; what a test deploys is stopped after it, however that ends."""
    yield ftctl
    ftctl("stop", "--all", timeout=120)


def test_a_real_server_takes_over_from_another(
    stopping: Cli, trained_run: TrainedRun, vllm_python: Path, tmp_path: Path
) -> None:
    """After one that sees other tokens than were trained, which does not."""
    words = ("--engine-python", vllm_python, "--set", "proxy=true", "--set", "max_length=512", "--json")
    argv = ("deploy", trained_run.directory, *words)
    data = stopping(*argv, "--name", "desk", timeout=START_TIMEOUT, code=0).data
    key = Path(data["key_file"]).read_text().strip()
    (before,) = stopping("ps", "--json", code=0).data["deployments"]
    other = tmp_path / "other.jinja"
    other.write_text("{% for message in messages %}[{{ message['content'] }}]{% endfor %}")
    unlike = ("--set", f"native.chat_template={other}")
    with asked_all_the_while(data["url"], key, "desk", threads=2, pause=0.2) as load:
        failed = stopping(*argv, *unlike, "--replace", "desk", timeout=START_TIMEOUT, code=1)
        assert "9 of 9 conversations differ" in failed.envelope["error"]["message"]
        assert "desk serves on as before" in failed.envelope["error"]["message"]
        same, left = stopping("ps", "--json", code=0).data["deployments"]
        assert (same["replicas"][0]["pid"], same["state"]) == (before["replicas"][0]["pid"], "running")
        assert (left["name"], left["state"], session_members(left["pid"])) == ("desk.2", "failed", ())
        after = stopping(*argv, "--replace", "desk", timeout=START_TIMEOUT, code=0).data
    assert (load.failures, load.done > 0, after["url"]) == ([], True, data["url"])
    (now,) = stopping("ps", "--json", code=0).data["deployments"]
    assert [replica["name"] for replica in now["replicas"]] == ["desk.2"]
    assert now["state"] == "running"
    assert session_members(before["replicas"][0]["pid"]) == ()
    assert "Application startup complete" in stopping("logs", "desk", "-n", "10000", code=0).out
    stopping("stop", "desk", code=0)
    assert session_members(now["replicas"][0]["pid"]) == ()
    assert stopping("ps", "--json", code=0).data["deployments"] == []


def closed(entry: store.Entry) -> None:
    """A gate that lets nobody through: what it sees is ready and answers."""
    assert client.models(entry.deployment.url, store.key_of(entry)) == ("ft",)
    raise GateNotMet("exact_match is 0.7, under 0.8", "train it better")


def ended_meanwhile(entry: store.Entry) -> None:
    """A gate that takes so long that the server ends before it is through."""
    os.kill(entry.deployment.process.pid, signal.SIGKILL)
    until(lambda: store.get(entry.name).ended is not None)


def test_whatever_fails_the_old_server_answers_all_the_while(model: Path) -> None:
    trained = {"name": "one", "messages": [{"role": "user", "content": "Hello"}], "ids": TOKENS}
    (model / TRAINED).write_text(json.dumps({"conversations": [trained]}))
    front = served(model)
    failures: list[tuple[str, dict[str, Any], int, str]] = [
        ("deaf", {"ready_timeout": 1.0}, 1, "was not ready within 1 s"),
        ("other-tokens", {}, 1, "1 of 1 conversations differ"),
        ("mute", {}, 1, "canary.*was answered with nothing"),
        ("brief", {}, 1, "prompt 1 of 5 of the canary.*failed"),
        ("quick", {"gate": closed}, 3, "exact_match is 0.7, under 0.8"),
        ("quick", {"gate": ended_meanwhile}, 1, "ft.2 had passed and then ended.*signal 9"),
    ]
    with asked_all_the_while(front.url, store.key_of(store.get("ft")), "ft") as load:
        for how, more, code, why in failures:
            with pytest.raises(FtctlError, match=f"{why}.*ft serves on as before") as caught:
                replaced(model, how, **more)
            assert (caught.value.exit_code, members(), gone("ft.2")) == (code, ("ft.1",), True)
        command = elsewhere("replace", model, "deaf")
        until(lambda: (found := store.find("ft.2")) is not None and store.state(found) == "starting")
        command.kill()
        command.wait()
        until(lambda: gone("ft.2"))
        assert replaced(model).members != ("ft.1",)
    assert (load.failures, load.done > 100) == ([], True)


def test_a_server_that_dies_as_it_has_taken_over_gives_the_address_back(model: Path) -> None:
    front = served(model)
    key, said, errors, over = (
        store.key_of(store.get("ft")),
        list[str](),
        list[FtctlError](),
        threading.Event(),
    )

    def ask_slowly() -> None:
        """Until this is answered the old server stays."""
        for word in client.chat(front.url, key, "ft", 60 * [{"role": "user", "content": "slow"}]):
            said.append(word)
            if over.is_set():
                return

    def put_in_place() -> None:
        with pytest.raises(FtctlError, match="and the old ones are back") as caught:
            replaced(model, "late", restart="never")
        errors.append(caught.value)

    asking, replacing = threading.Thread(target=ask_slowly), threading.Thread(target=put_in_place)
    asking.start()
    until(lambda: any(slot.in_hand for slot in proxy.slots(Path(front.folder))))
    replacing.start()
    until(lambda: members() == ("ft.2",))
    while members() == ("ft.2",):
        with suppress(OSError, http.client.HTTPException, FtctlError):
            list(client.chat(front.url, key, "ft", []))
    replacing.join()
    assert (len(errors), members(), gone("ft.2"), answers()) == (1, ("ft.1",), True, True)
    with asked_all_the_while(front.url, key, "ft") as load:
        until(lambda: load.done > 100)
    assert load.failures == []
    before = len(said)
    until(lambda: len(said) > before)
    over.set()
    asking.join()


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
