"""A server's interpreter that is started before there is anything to serve: the stand-in server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ftctl.artifacts.model import Artifact
from ftctl.deployments import client, store
from ftctl.deployments.ahead import Ahead, end_ahead, start_ahead
from ftctl.deployments.launch import Pace, launch_of
from ftctl.deployments.start import start
from ftctl.deployments.stop import stop
from ftctl.errors import FtctlError, Interrupted
from ftctl.facts.model import EngineFacts, MachineFacts, ModelFacts
from ftctl.job.model import Deploy
from ftctl.leases.hold import NOTHING
from ftctl.plan.serve import plan_serve
from ftctl.process import alive, own_session
from ftctl.servers.words import INSIDE
from tests.flow.conftest import STANDIN
from tests.waiting import until

BLOCK = Deploy(native={"stand-in": "quick"})
ENGINE = EngineFacts("vllm", "cpu", STANDIN, installed=True)
MACHINE = MachineFacts((), None, 2, 2**34, 2**34)


@pytest.fixture
def begin(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Ahead]]:
    """Start the stand-in ahead of its weights; ends what a test leaves."""
    monkeypatch.setenv("FTCTL_HOME", str(tmp_path / "home"))

    def _begin(*, local: bool = True) -> Ahead:
        foreseen, _ = plan_serve(BLOCK, name="ft", model=facts(model), machine=MACHINE, engine=ENGINE)
        place: dict[str, Any] = {"artifact": model, "run": tmp_path, "lease": NOTHING}
        found = start_ahead(foreseen, BLOCK, name="ft", engine=ENGINE, machine=MACHINE, local=local, **place)
        assert found is not None
        return found

    yield _begin
    for entry in store.entries():
        stop(entry, now=True)


def facts(model: Path) -> ModelFacts:
    return ModelFacts(str(model), local=True, max_positions=512, weight_bytes=1)


def waiting() -> store.Entry:
    """The deployment once its interpreter is there."""
    until(lambda: alive(store.get("ft").deployment.process))
    return store.get("ft")


def go_on(model: Path, ahead: Ahead) -> store.Entry:
    """Tell it what to serve."""
    looked: dict[str, Any] = {"engine": ENGINE, "machine": MACHINE, "model_facts": facts(model), "run": None}
    looked["pace"] = Pace(first=0.05)
    start(Artifact("model", model), BLOCK, name="ft", emit=lambda kind, data: None, ahead=ahead, **looked)
    return store.get("ft")


def test_it_serves_in_the_process_that_was_begun_and_starts_again_as_any_other(
    begin: Callable[..., Ahead], model: Path
) -> None:
    ahead = begin()
    before = waiting()
    assert (store.state(before), client.healthy(before.deployment.url)) == ("starting", False)
    entry = go_on(model, ahead)
    assert entry.deployment.process == before.deployment.process
    assert (store.state(entry), client.models(entry.deployment.url, store.key_of(entry))) == (
        "running",
        ("ft",),
    )
    launch = launch_of(entry.folder)
    assert launch is not None
    assert (launch.waits, "waiting_server" in launch.argv) == (False, False)
    os.kill(entry.deployment.process.pid, signal.SIGKILL)
    until(lambda: store.get("ft").deployment.process != entry.deployment.process)
    until(lambda: store.state(store.get("ft")) == "running")
    assert own_session(entry.deployment.process) == ()


def test_one_that_does_not_fit_is_ended_and_another_started(begin: Callable[..., Ahead], model: Path) -> None:
    ahead = begin(local=False)  # its environment would let it ask a Hub
    before = waiting().deployment.process
    entry = go_on(model, ahead)
    assert entry.deployment.process != before
    assert (own_session(before), store.state(entry)) == ((), "running")


def test_one_that_was_stopped_meanwhile_stays_stopped(begin: Callable[..., Ahead], model: Path) -> None:
    ahead = begin()
    stop(waiting())
    with pytest.raises(Interrupted, match="ft was stopped while it was starting"):
        go_on(model, ahead)
    assert (store.state(store.get("ft")), own_session(store.get("ft").deployment.process)) == ("stopped", ())


def test_an_engine_that_cannot_be_imported_is_said(
    begin: Callable[..., Ahead], model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN", "no-import")
    ahead = begin()
    until(lambda: store.get("ft").ended is not None)
    with pytest.raises(FtctlError, match="libsomething"):
        go_on(model, ahead)
    assert store.state(store.get("ft")) == "failed"


def test_one_with_nothing_to_serve_is_ended(begin: Callable[..., Ahead]) -> None:
    ahead = begin()
    waiting()
    end_ahead(ahead, "there was nothing to serve")
    entry = store.get("ft")
    assert (store.state(entry), entry.why) == ("failed", "there was nothing to serve")
    assert (store.lives(entry), own_session(entry.deployment.process)) == (False, ())
    assert not (entry.folder / store.KEY).exists()


def test_it_waits_for_its_words_and_ends_when_nobody_is_left_to_say_them(tmp_path: Path) -> None:
    def run(creator: int, *, waits: bool) -> subprocess.CompletedProcess[str]:
        launch = {"waits": waits, "creator": {"pid": creator, "started": 1}, "argv": ["p", "-m", "this"]}
        (tmp_path / "launch.json").write_text(json.dumps(launch))
        argv = [sys.executable, str(INSIDE / "waiting_server.py"), "this"]
        return subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)

    alone = run(os.getpid(), waits=True)  # another process has its pid
    assert (alone.returncode, "nobody is left to say" in alone.stderr) == (1, True)
    told = run(os.getpid(), waits=False)
    assert (told.returncode, told.stdout.count("The Zen of Python")) == (0, 2)
