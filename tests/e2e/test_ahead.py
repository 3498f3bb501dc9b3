"""A run whose server is begun while its weights are made ready, and what ends then: stand-in engines.

That a real server goes on in the interpreter that was begun ahead is in test_train.py.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ftctl.deployments import store
from ftctl.deployments.kept import kept_of
from ftctl.deployments.stop import stop
from ftctl.facts.model import EngineFacts
from ftctl.job.model import Deploy
from ftctl.launchers import launcher
from ftctl.plan.serve import plan_serve
from ftctl.process import ProcessId, alive, own_session
from ftctl.rendered import Rendered
from ftctl.run import control
from ftctl.run.create import create
from ftctl.run.directory import RunDir
from ftctl.run.state import LIVE, standing, supervisor
from tests.gpu_leases import STANDIN
from tests.plans import machine, plan
from tests.waiting import until

pytestmark = pytest.mark.engine
SLOW = (sys.executable, "-c", "import time; time.sleep(300)")
QUICK = (sys.executable, "-c", "")


@pytest.fixture
def merging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., RunDir]]:
    """Start a run that trains, merges by this command, and would serve; gives it once its server is begun."""
    monkeypatch.setenv("FTCTL_HOME", str(tmp_path / "home"))
    block = Deploy(native={"stand-in": "quick"})
    engine = EngineFacts("vllm", "user", STANDIN / "server.py", installed=True)
    known = replace(plan().facts, server=engine)
    serve, _ = plan_serve(block, name="ft", model=known.model, machine=machine(), engine=engine)
    decided = replace(plan(), job=replace(plan().job, deploy=block, name="ft"), facts=known, serve=serve)
    runs: list[RunDir] = []

    def _start(command: tuple[str, ...]) -> RunDir:
        trained = Rendered((sys.executable, str(STANDIN / "engine.py"), "--steps", "2"))
        runs.append(create(decided, {"train": trained, "merge": Rendered(command)}, tmp_path))
        launcher("local").submit(runs[-1].path)
        until(lambda: store.find("ft") is not None)
        return runs[-1]

    yield _start
    for run in runs:
        if standing(run.path) in LIVE:
            control.stop(run.path, now=True)
    for entry in store.entries():
        stop(entry, now=True)


def gone(process: ProcessId) -> bool:
    """Whether nothing is left of the server, nor anyone who keeps it."""
    return not own_session(process) and not store.lives(store.get("ft"))


def test_weights_that_are_not_whole_are_not_served(merging: Callable[..., RunDir]) -> None:
    run = merging(QUICK)  # and the training has left no weights
    until(lambda: standing(run.path) == "FAILED")
    entry = store.get("ft")
    until(lambda: gone(entry.deployment.process))  # a keeper that was about to begin sees that it has ended
    assert (store.state(entry), entry.ready) == ("failed", None)
    assert "ended before there was anything to serve" in entry.why
    record = run.read_json("exit.json")
    assert record is not None
    assert "the result is not complete" in record["message"]


def test_a_run_that_is_stopped_while_it_merges_stops_its_server(merging: Callable[..., RunDir]) -> None:
    run = merging(SLOW)
    control.stop(run.path, now=False)
    until(lambda: standing(run.path) == "STOPPED")
    until(lambda: gone(store.get("ft").deployment.process))


def test_a_supervisor_that_is_killed_leaves_no_server(merging: Callable[..., RunDir]) -> None:
    run = merging(SLOW)
    until(lambda: alive(store.get("ft").deployment.process))
    process = store.get("ft").deployment.process
    node = supervisor(run)
    assert node is not None
    os.kill(node.pid, signal.SIGKILL)
    until(lambda: gone(process))
    assert store.state(store.get("ft")) in ("failed", "stopped")


def test_nor_where_all_who_keep_it_are_killed_first(merging: Callable[..., RunDir]) -> None:
    run = merging(SLOW)
    until(lambda: (kept := kept_of(store.get("ft").folder)) is not None and alive(kept.standby))
    process = store.get("ft").deployment.process
    kept, node = kept_of(store.get("ft").folder), supervisor(run)
    assert kept is not None
    assert node is not None
    for one in (kept.standby, kept.keeper, node):
        os.kill(one.pid, signal.SIGKILL)
    until(lambda: gone(process))
