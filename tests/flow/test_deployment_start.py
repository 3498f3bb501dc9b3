"""Starting and stopping servers: a stand-in that fails on demand, real processes and ports."""

from __future__ import annotations

import os
import signal
import socket
import stat
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from ftctl.artifacts.model import Artifact
from ftctl.deployments import client, store
from ftctl.deployments.kept import is_kept
from ftctl.deployments.model import Deployment
from ftctl.deployments.start import start
from ftctl.deployments.stop import stop
from ftctl.errors import FtctlError, Interrupted, Missing, UsageError
from ftctl.events import parse
from ftctl.facts.model import EngineFacts, MachineFacts, ModelFacts
from ftctl.job.model import Deploy
from ftctl.process import alive, session_members, stop_session
from tests.flow.conftest import Starter
from tests.waiting import freeze, until


def members(name: str = "ft") -> tuple[int, ...]:
    return session_members(store.get(name).deployment.process.pid)


def kill_leader(deployment: Deployment) -> None:
    """Kill the server's first process and wait until it is dead; its children live on."""
    os.kill(deployment.process.pid, signal.SIGKILL)
    while deployment.process.pid in members():
        time.sleep(0.02)


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_ready_server_is_recorded_and_answers(serve: Starter, model: Path) -> None:
    events: list[Any] = []
    deployment = serve(events=events)
    entry = store.get("ft")
    key = store.key_of(entry)
    assert entry.deployment == deployment
    assert store.state(entry) == "running"
    assert client.models(deployment.url, key) == ("ft",)
    assert deployment.artifact == str(model)
    assert deployment.url.startswith("http://127.0.0.1:")
    assert [data["detail"] for kind, data in events if kind == "deployment"][-2:] == [
        "reading the model's config",
        "no trained template to compare with: parity not checked",
    ]
    recorded = [parse(line) for line in (entry.folder / store.EVENTS).read_text().splitlines()]
    assert recorded[-1] is not None
    assert recorded[-1].data["state"] == "ready"


def test_the_key_is_in_a_file_of_its_owner_and_nowhere_else(serve: Starter) -> None:
    deployment = serve()
    entry = store.get("ft")
    key = store.key_of(entry)
    assert len(key) >= 32
    assert stat.S_IMODE((entry.folder / store.KEY).stat().st_mode) == 0o600
    assert key not in Path(f"/proc/{deployment.process.pid}/cmdline").read_text()
    others = [file for file in entry.folder.iterdir() if file.name != store.KEY]
    assert others
    assert all(key not in file.read_text() for file in others)


def test_a_key_may_be_ones_own(serve: Starter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "mine-and-only-mine")
    serve(api_key="${env:MY_KEY}")
    assert store.key_of(store.get("ft")) == "mine-and-only-mine"


@pytest.mark.parametrize(
    ("block", "error", "says"),
    [
        ({"api_key": "${env:FTCTL_NOT_SET}"}, UsageError, "FTCTL_NOT_SET and that is not set"),
        ({"api_key": "sk-plain"}, UsageError, "holds a secret itself"),
        ({"host": "192.0.2.1"}, Missing, "no address of this machine"),
        ({"path": Path("/nowhere/at/all")}, UsageError, "/nowhere/at/all is no folder"),
        ({"name": "../up"}, UsageError, "cannot name a deployment"),
        ({"engine": "lmdeploy"}, Missing, "LMDeploy needs an NVIDIA GPU and this machine has none"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_started(
    serve: Starter, block: dict[str, Any], error: type[FtctlError], says: str
) -> None:
    with pytest.raises(error, match=says):
        serve(**block)
    assert list(store.entries()) == []


def test_a_folder_without_a_model_is_refused(serve: Starter, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"it has no config\.json"):
        serve(path=tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UsageError, match="it has no weights"):
        serve(path=tmp_path)


def test_a_taken_port_is_named_with_who_holds_it(serve: Starter) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(Missing, match=f"port {port} .*pid {os.getpid()}") as caught:
            serve(port=port)
    assert caught.value.exit_code == 4


def test_the_port_of_another_deployment_is_named(serve: Starter) -> None:
    port = int(serve().url.rpartition(":")[2])
    with pytest.raises(Missing, match="the deployment ft"):
        serve(name="other", port=port)


def test_a_name_in_use_is_refused_and_a_dead_ones_is_free(serve: Starter) -> None:
    first = serve(restart="never")
    with pytest.raises(UsageError, match="ft is running already") as caught:
        serve()
    assert "ftctl stop ft" in caught.value.remedy
    child = int((Path(first.folder) / "child.pid").read_text())
    kill_leader(first)
    until(lambda: store.state(store.get("ft")) == "failed")
    second = serve()
    assert second.process != first.process
    assert gone(child)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("die", "exit code 1 .*: ValueError: something that no table knows"),
        ("kv", "room for 384 tokens only"),
    ],
)
def test_an_early_death_is_seen_at_once_with_its_cause(serve: Starter, how: str, says: str) -> None:
    began = time.monotonic()
    with pytest.raises(FtctlError, match=says) as caught:
        serve(how, ready_timeout=600.0)
    assert time.monotonic() - began < 60
    entry = store.get("ft")
    assert caught.value.exit_code == 1
    assert str(entry.folder / store.LOG) in caught.value.remedy
    assert (entry.folder / store.LOG).stat().st_size > 0
    assert not (entry.folder / store.KEY).exists()
    assert store.state(store.get("ft")) == "failed"
    assert members() == ()
    assert not is_kept(entry.folder)


def test_a_server_that_never_answers_is_ended(serve: Starter) -> None:
    with pytest.raises(FtctlError, match=r"not ready within 3 s"):
        serve("deaf", ready_timeout=3.0)
    assert members() == ()


def test_a_server_of_another_model_is_not_ready(serve: Starter) -> None:
    assert "it offers another and not ft" in way_out(serve, "other-name", "offers")


def test_a_server_that_cannot_compute_is_not_ready(serve: Starter) -> None:
    assert "500" in way_out(serve, "broken", "500")
    assert members() == ()


def way_out(serve: Starter, how: str, says: str) -> str:
    """The remedy for a server that does not get ready; where it was not even up in time, it gets longer."""
    for seconds in (3.0, 30.0):
        with pytest.raises(FtctlError, match=f"not ready within {seconds:g} s") as caught:
            serve(how, ready_timeout=seconds)
        if says in caught.value.remedy:
            break
    return caught.value.remedy


def test_an_interpreter_that_cannot_start_is_missing(serve: Starter, model: Path) -> None:
    with pytest.raises(Missing, match="no interpreter"):
        start(
            Artifact("model", model), Deploy(), name="ft",
            engine=EngineFacts("vllm", "cpu", model / "no-python", installed=True),
            machine=MachineFacts((), None, 2, 2**34, 2**34),
            model_facts=ModelFacts(str(model), local=True), run=None, emit=lambda kind, data: None,
        )  # fmt: skip


def test_stop_from_elsewhere_ends_a_start(serve: Starter) -> None:
    def stop_it() -> None:
        while store.find("ft") is None:
            time.sleep(0.02)
        stop(store.get("ft"), now=True)

    other = threading.Thread(target=stop_it)
    other.start()
    with pytest.raises(Interrupted, match="was stopped while it was starting"):
        serve("deaf", ready_timeout=120.0)
    other.join()


@pytest.mark.parametrize("how", ["quick", "stubborn"])
def test_stop_leaves_no_child(serve: Starter, how: str) -> None:
    deployment = serve(how)
    child = int((Path(deployment.folder) / "child.pid").read_text())
    assert child in members()
    stop(store.get("ft"), grace=0.5)
    assert members() == ()
    assert gone(child)
    assert store.state(store.get("ft")) == "stopped"
    assert (Path(deployment.folder) / store.LOG).exists()
    assert not (Path(deployment.folder) / store.KEY).exists()


def test_a_stop_that_cannot_be_recorded_ends_it_all_the_same(serve: Starter) -> None:
    folder = Path(serve().folder)
    child = int((folder / "child.pid").read_text())
    in_the_way = folder / f".{store.RECORD}.{os.getpid()}"
    in_the_way.mkdir()  # as on a full disk, the record cannot be written
    try:
        with pytest.raises(OSError, match="Is a directory"):
            stop(store.get("ft"), now=True)
    finally:
        in_the_way.rmdir()
    assert members() == () and gone(child)
    assert store.state(store.get("ft")) in ("stopped", "dead"), "its keeper may have recorded it"


def test_what_a_killed_leader_left_is_ended(serve: Starter) -> None:
    deployment = serve("stubborn", restart="never")
    child = int((Path(deployment.folder) / "child.pid").read_text())
    kill_leader(deployment)
    until(lambda: store.state(store.get("ft")) == "failed")
    assert gone(child)
    assert "signal 9" in store.get("ft").why
    stop(store.get("ft"))
    assert store.state(store.get("ft")) == "stopped"


def test_a_server_that_hangs_is_unhealthy(serve: Starter) -> None:
    deployment = serve()
    freeze(deployment.process.pid)
    entry = store.get("ft")
    assert store.state(entry, lambda url: client.healthy(url, timeout=0.3)) == "unhealthy"
    os.kill(deployment.process.pid, signal.SIGCONT)
    until(lambda: store.state(entry) == "running")


def test_a_pid_that_was_given_out_again_is_not_taken_for_the_server(serve: Starter) -> None:
    from dataclasses import replace

    process = serve().process
    another = replace(process, started=process.started + 1)
    assert alive(process)
    assert not alive(another)
    stop_session(another, grace=0.0)
    assert members() != ()


def test_chat_streams_and_notices_a_broken_answer(serve: Starter) -> None:
    deployment = serve()
    key = store.key_of(store.get("ft"))
    pieces = list(client.chat(deployment.url, key, "ft", [{"role": "user", "content": "你好"}]))
    assert pieces == ["heard: ", "你好"]
    with pytest.raises(FtctlError, match="in the middle of its answer"):
        list(client.chat(deployment.url, key, "ft", [{"role": "user", "content": "break off"}]))
    with pytest.raises(FtctlError, match="401: no key"):
        list(client.chat(deployment.url, "wrong", "ft", []))
    stop(store.get("ft"), now=True)
    with pytest.raises(FtctlError, match="does not answer"):
        list(client.chat(deployment.url, key, "ft", []))
